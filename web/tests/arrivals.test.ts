import { beforeEach, expect, it } from 'vitest';
import { HandClock } from '../../clients/typescript/tests/world';
import { Arrivals } from '../src/models/arrivals';

let clock: HandClock;
let applied: string[];
let frames: { draw: () => void; drawn: (took: number) => void }[];
let arrivals: Arrivals<string>;

beforeEach(() => {
  clock = new HandClock();
  applied = [];
  frames = [];
  const drawing = { next: (draw: () => void, drawn: (took: number) => void) => void frames.push({ draw, drawn }) };
  arrivals = new Arrivals(clock, drawing, (event: string) => applied.push(event));
});

function draw(took: number): void {
  const frame = frames.shift();
  frame?.draw();
  clock.pass(took);
  frame?.drawn(took);
}

it('applies the events of one moment together, in their order, when the page draws', () => {
  for (const event of ['one', 'two', 'three']) arrivals.add(event);
  expect(applied).toEqual([]);
  expect(frames).toHaveLength(1);
  draw(0);
  expect(applied).toEqual(['one', 'two', 'three']);
});

it('rests for four times as long as the page took to draw', () => {
  arrivals.add('one');
  draw(40);
  arrivals.add('two');
  expect(frames).toHaveLength(0);
  clock.pass(159);
  expect(frames).toHaveLength(0);
  clock.pass(1);
  draw(40);
  expect(applied).toEqual(['one', 'two']);
});

it('draws what comes in a busy room eight times a second, and at once after a pause', () => {
  arrivals.add('one');
  draw(5);
  arrivals.add('two');
  clock.pass(124);
  expect(frames).toHaveLength(0);
  clock.pass(1);
  draw(5);
  clock.pass(125);
  arrivals.add('three');
  expect(frames).toHaveLength(1);
});

it('lets no event wait for long, however slow the device is', () => {
  arrivals.add('one');
  draw(1_000);
  arrivals.add('two');
  clock.pass(250);
  expect(frames).toHaveLength(1);
});

it('applies what waits at once if something must come after it', () => {
  arrivals.add('one');
  arrivals.flush();
  expect(applied).toEqual(['one']);
  draw(0);
  expect(applied).toEqual(['one']);
});
