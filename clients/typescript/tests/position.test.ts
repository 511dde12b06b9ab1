import { describe, expect, it } from 'vitest';
import { Position } from 'hubbub-client';

function at(rev: number): Position {
  const position = new Position();
  position.startOver(rev, 'e1');
  return position;
}

describe('Position', () => {
  it('takes the next change and moves to it', () => {
    const position = at(4);
    expect(position.see(5)).toBe('apply');
    expect(position.rev).toBe(5);
  });

  it('skips known changes', () => {
    expect(at(4).see(4)).toBe('skip');
    expect(at(4).see(2)).toBe('skip');
  });

  it('stays where it is when something is missing', () => {
    const position = at(4);
    expect(position.see(6)).toBe('gap');
    expect(position.rev).toBe(4);
  });

  it('takes everything in rooms without numbers', () => {
    const position = new Position();
    expect(position.see(undefined)).toBe('apply');
    expect(position.rev).toBeUndefined();
  });

  it('catches up over a range that begins at or before it', () => {
    const position = at(4);
    expect(position.catchUp(3, 9)).toBe('apply');
    expect(position.rev).toBe(9);
  });

  it('refuses a range that begins after it', () => {
    const position = at(4);
    expect(position.catchUp(5, 9)).toBe('gap');
    expect(position.rev).toBe(4);
  });

  it('skips a range that ends before it', () => {
    expect(at(4).catchUp(1, 3)).toBe('skip');
  });
});
