import { describe, expect, it } from 'vitest';
import { dayOf } from '../src/models/dates';
import { hue, initials } from '../src/models/person';
import { countOf, movementWords, typingWords } from '../src/models/words';

describe('sentences', () => {
  it('name typists, unless there are many', () => {
    expect(typingWords(['Bob'])).toBe('Bob is typing');
    expect(typingWords(['Bob', 'Carol'])).toBe('Bob and Carol are typing');
    expect(typingWords(['a', 'b', 'c', 'd'])).toBe('Several people are typing');
  });

  it('tell who joined and left', () => {
    expect(movementWords(['Bob', 'Carol'], ['Dan'])).toBe('Bob and Carol joined · Dan left');
    expect(movementWords(['a', 'b', 'c', 'd', 'e'], [])).toBe('a, b, c, and 2 others joined');
  });

  it('write large numbers readably', () => {
    expect(countOf(1234)).toBe('1,234 online');
  });
});

describe('people', () => {
  it.each([
    ['alice', 'A'],
    ['Ada King Lovelace', 'AL'],
    ['борис', 'Б'],
    ['👩‍🚀 Sam', '👩‍🚀S'],
    ['guest-x7k2', 'GX'],
  ])('%s is shown as %s', (name, letters) => {
    expect(initials(name)).toBe(letters);
  });

  it('have the same colour under each spelling of their key', () => {
    expect(hue('Alice')).toBe(hue('alice'));
    expect(hue('alice')).not.toBe(hue('bob'));
  });
});

describe('days', () => {
  const now = new Date(2026, 10, 20, 12).getTime();

  it('are named as briefly as possible', () => {
    expect(dayOf(new Date(2026, 10, 20, 0).getTime(), now)).toBe('Today');
    expect(dayOf(new Date(2026, 10, 19, 23).getTime(), now)).toBe('Yesterday');
    expect(dayOf(new Date(2026, 10, 16).getTime(), now)).toMatch(/^\p{L}+$/u);
    expect(dayOf(new Date(2025, 10, 16).getTime(), now)).toContain('2025');
  });
});
