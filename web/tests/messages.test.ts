import type { MessageEvent } from 'hubbub-client';
import { beforeEach, describe, expect, it } from 'vitest';
import { Messages } from '../src/models/messages.svelte';

const TS = '2026-11-20T09:30:00.123Z';

let messages: Messages;

beforeEach(() => {
  messages = new Messages(() => ({ user: 'alice', name: 'Alice' }));
});

function stored(seq: number, extra: Partial<MessageEvent> = {}): MessageEvent & { seq: number } {
  return {
    type: 'message',
    room: 'general',
    user: 'bob',
    name: 'Bob',
    text: `no ${seq}`,
    ts: TS,
    rev: seq,
    ...extra,
    seq,
  };
}

describe('a message', () => {
  it('is kept in its latest version, whatever comes later', () => {
    messages.see(stored(1, { rev: 5, text: 'newer' }));
    messages.see(stored(1, { rev: 1, text: 'older' }));
    expect(messages.get(1)).toMatchObject({ text: 'newer', rev: 5 });
    messages.change({ type: 'changed', room: 'general', seq: 1, rev: 4, user: 'bob', text: 'older' });
    expect(messages.get(1)).toMatchObject({ text: 'newer' });
    messages.change({ type: 'changed', room: 'general', seq: 1, rev: 6, user: 'bob', pinned: true });
    expect(messages.get(1)).toMatchObject({ text: 'newer', pinned: true });
  });

  it('gives way to a lower rev when the room has begun again, and stays the same line', () => {
    messages.see(stored(1, { rev: 500, text: 'before' }));
    messages.see(stored(2, { rev: 501 }));
    const id = messages.get(1)?.id;
    messages.startOver(new Set([1]));
    messages.see(stored(1, { rev: 3, text: 'restored' }));
    expect(messages.get(1)).toMatchObject({ text: 'restored', id });
    expect(messages.has(2)).toBe(false);
  });

  it('is forgotten when nothing shows it, but only if there are many', () => {
    const held = [1, 500];
    messages.heldBy(() => held);
    for (let seq = 1; seq <= 1_000; seq += 1) messages.see(stored(seq));
    messages.sweep();
    expect(messages.has(1_000)).toBe(true);
    messages.see(stored(1_001));
    messages.sweep();
    expect([1, 2, 500, 1_001].map((seq) => messages.has(seq))).toEqual([true, false, true, false]);
  });
});

describe('a quote', () => {
  const quote = { user: 'bob', name: 'Bob', text: 'no 1' };

  it('is the quoted message as it is now, or as it was if that is not here', () => {
    messages.see(stored(2, { reply_to: 1, quote }));
    const answer = messages.said(2);
    if (answer === undefined) throw new Error('The answer is not here.');
    expect(messages.quoteIn(answer)).toEqual(quote);
    messages.see(stored(1, { text: 'edited since' }));
    expect(messages.quoteIn(answer)).toEqual({ ...quote, text: 'edited since' });
    messages.trim(1);
    expect(messages.quoteIn(answer)).toEqual(quote);
  });
});
