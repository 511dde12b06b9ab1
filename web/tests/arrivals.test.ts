import { beforeEach, describe, expect, it } from 'vitest';
import { HandClock } from '../../clients/typescript/tests/world';
import { Arrivals, type Drawing } from '../src/models/arrivals';

let clock: HandClock;
let applied: string[];
let shown: string[];
let frames: { draw: () => void; drawn: (took: number) => void }[];
let tasks: { make: () => void; made: (took: number) => void }[];
let arrivals: Arrivals<string>;

beforeEach(() => {
  clock = new HandClock();
  applied = [];
  shown = [];
  frames = [];
  tasks = [];
  let areHidden = false;
  const show = () => {
    if (!areHidden) shown = [...applied];
  };
  const drawing: Drawing = {
    next: (draw, drawn) => void frames.push({ draw, drawn }),
    make: (make, made) => void tasks.push({ make, made }),
  };
  arrivals = new Arrivals(clock, drawing, {
    apply(event) {
      applied.push(event);
      show();
    },
    hide(now) {
      areHidden = now;
      show();
    },
  });
});

function draw(took: number): void {
  const frame = frames.shift();
  frame?.draw();
  clock.pass(took);
  frame?.drawn(took);
}

function make(took: number): void {
  const task = tasks.shift();
  task?.make();
  clock.pass(took);
  task?.made(took);
}

/** Their names are their numbers. */
function add(from: number, to: number): void {
  for (let number = from; number <= to; number += 1) arrivals.add(`${number}`);
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

describe('many lines at once', () => {
  beforeEach(() => {
    arrivals.add('0');
    draw(50);
  });

  it('are made a few at a time, and shown together', () => {
    add(1, 9);
    clock.pass(200);
    make(30);
    expect(applied).toHaveLength(5);
    make(30);
    expect(applied).toHaveLength(9);
    expect(shown).toEqual(['0']);
    expect(frames).toHaveLength(0);
    make(30);
    draw(50);
    expect(shown).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
  });

  it('are made fewer at a time on a slow device, and more on a quick one', () => {
    const sizes = (took: number) => {
      const before = applied.length;
      make(took);
      return applied.length - before;
    };
    add(1, 40);
    clock.pass(200);
    expect([sizes(40), sizes(40), sizes(10), sizes(10), sizes(10)]).toEqual([4, 2, 2, 4, 6]);
  });

  it('are shown in time, however many still come', () => {
    add(1, 100);
    clock.pass(200);
    make(100);
    make(100);
    expect(frames).toHaveLength(0);
    make(100);
    expect(tasks).toHaveLength(0);
    draw(50);
    expect(shown).toHaveLength(9);
    clock.pass(250);
    expect(tasks).toHaveLength(1);
  });

  it('are shown with all that wait if something must come after them', () => {
    add(1, 9);
    clock.pass(200);
    make(30);
    arrivals.flush();
    expect(shown).toHaveLength(10);
    make(30);
    draw(50);
    expect(shown).toHaveLength(10);
    expect(applied).toHaveLength(10);
  });
});

it('draws what came during a drawing when the page has rested', () => {
  arrivals.add('one');
  const [frame] = frames.splice(0);
  frame?.draw();
  arrivals.add('two');
  frame?.drawn(40);
  expect(frames).toHaveLength(0);
  clock.pass(160);
  draw(40);
  expect(shown).toEqual(['one', 'two']);
});
