import { describe, expect, it } from 'vitest';
import { placeAfter, placeOf } from '../src/components/ui/roving';

const list = { count: 3, before: 'ArrowUp', after: 'ArrowDown', wraps: false };

describe('a key in a group', () => {
  it('leads to the neighbours, the first and the last place', () => {
    expect(placeAfter('ArrowDown', 0, list)).toBe(1);
    expect(placeAfter('ArrowUp', 1, list)).toBe(0);
    expect(placeAfter('Home', 2, list)).toBe(0);
    expect(placeAfter('End', 0, list)).toBe(2);
    expect(placeAfter('ArrowRight', 0, list)).toBeNull();
  });

  it('ends at the ends, or goes round', () => {
    expect(placeAfter('ArrowDown', 2, list)).toBeNull();
    expect(placeAfter('ArrowUp', 0, list)).toBeNull();
    expect(placeAfter('ArrowDown', 2, { ...list, wraps: true })).toBe(0);
    expect(placeAfter('ArrowUp', 0, { ...list, wraps: true })).toBe(2);
  });

  it('leads into the group from outside, and nowhere if it is empty', () => {
    expect(placeAfter('ArrowDown', -1, list)).toBe(0);
    expect(placeAfter('ArrowUp', -1, list)).toBe(2);
    expect(placeAfter('End', -1, { ...list, count: 0 })).toBeNull();
  });
});

describe('a letter', () => {
  const labels = ['Copy link', 'Leave', 'Cut', 'Éclair'];

  it('leads to the next label that begins with it', () => {
    expect(placeOf('c', 0, labels)).toBe(2);
    expect(placeOf('C', 2, labels)).toBe(0);
    expect(placeOf('é', 0, labels)).toBe(3);
  });

  it('leads nowhere if no label begins with it, and neither does the name of a key', () => {
    expect(placeOf('x', 0, labels)).toBeNull();
    expect(placeOf('Control', 0, labels)).toBeNull();
    expect(placeOf(' ', 0, [' '])).toBeNull();
  });
});
