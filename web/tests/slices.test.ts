import { expect, it } from 'vitest';
import { Slices } from '../src/models/slices';

function sizesAfter(...times: number[]): number[] {
  const slices = new Slices();
  return times.map((took) => {
    slices.drawn(took);
    return slices.size;
  });
}

it('begins with few lines, and adds more on a device that is quick', () => {
  expect(new Slices().size).toBe(4);
  expect(sizesAfter(20, 20, 20, 20)).toEqual([6, 8, 10, 10]);
});

it('adds fewer lines on a device that is slow, but goes on', () => {
  expect(sizesAfter(90, 90, 90)).toEqual([2, 2, 2]);
});

it('stays at a number that fits', () => {
  expect(sizesAfter(20, 50, 60, 70, 71)).toEqual([6, 6, 6, 6, 4]);
});
