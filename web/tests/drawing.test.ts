import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Drawing } from '../src/models/arrivals';

const FRAME = 16;
let keyboard: EventTarget;
let drawing: Drawing;
let drawn: string[];

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  keyboard = new EventTarget();
  vi.stubGlobal('addEventListener', keyboard.addEventListener.bind(keyboard));
  vi.stubGlobal('removeEventListener', keyboard.removeEventListener.bind(keyboard));
  vi.stubGlobal('requestAnimationFrame', (act: () => void) => setTimeout(act, FRAME));
  vi.stubGlobal('cancelAnimationFrame', clearTimeout);
  vi.resetModules();
  ({ drawing } = await import('../src/drawing'));
  drawn = [];
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

function press(): void {
  keyboard.dispatchEvent(new Event('keydown'));
}

function draw(line: string): void {
  drawing.next(
    () => drawn.push(line),
    () => drawn.push(`${line} is drawn`),
  );
}

it('draws at once if nobody types, and says when it is drawn', () => {
  draw('one');
  vi.advanceTimersByTime(1);
  expect(drawn).toEqual(['one']);
  vi.advanceTimersByTime(FRAME + 1);
  expect(drawn).toEqual(['one', 'one is drawn']);
});

it('draws after the next key and its frame, if somebody types', () => {
  press();
  vi.advanceTimersByTime(20);
  draw('one');
  vi.advanceTimersByTime(80);
  press();
  expect(drawn).toEqual([]);
  vi.advanceTimersByTime(FRAME - 1);
  expect(drawn).toEqual([]);
  vi.advanceTimersByTime(2);
  expect(drawn).toEqual(['one']);
  vi.advanceTimersByTime(1_000);
  press();
  expect(drawn).toEqual(['one', 'one is drawn']);
});

it('waits a quarter of a second for a key that does not come', () => {
  press();
  draw('one');
  vi.advanceTimersByTime(249);
  expect(drawn).toEqual([]);
  vi.advanceTimersByTime(2);
  expect(drawn).toEqual(['one']);
  press();
  vi.advanceTimersByTime(1_000);
  expect(drawn).toEqual(['one', 'one is drawn']);
});

it('makes lines in a task of their own, between two keys', async () => {
  press();
  drawing.make(
    () => drawn.push('one'),
    () => drawn.push('one is made'),
  );
  expect(drawn).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(drawn).toEqual(['one', 'one is made']);
});
