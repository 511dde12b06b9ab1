import type { Failure } from 'hubbub-client';
import { expect, it } from 'vitest';
import { sentenceOf } from '../src/words/failures';

const words = (code: Failure['code'], message: string, field?: string) => sentenceOf({ code, message, field });

it('says what is wrong with the typed text', () => {
  expect(words('invalid', 'emoji: one emoji is needed', 'emoji')).toBe('That is not one emoji.');
});

it('never shows a field that nobody typed', () => {
  expect(words('invalid', 'seq: Input should be less', 'seq')).toBe('The server did not understand that.');
});

it('says that a temporary failure is temporary', () => {
  expect(words('unavailable', 'nothing can be stored now: disk full')).toContain('Try again');
});

it('has a sentence of its own for what a role does not allow', () => {
  expect(words('forbidden', "you may not send in room 'library'")).toBe('You may not do that here.');
});

it("makes sentences of an application's own words", () => {
  expect(words('forbidden', 'no shouting here')).toBe('No shouting here.');
  expect(words('invalid', 'Say please!')).toBe('Say please!');
});
