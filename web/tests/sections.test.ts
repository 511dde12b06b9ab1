import { describe, expect, it } from 'vitest';
import { sectionsOf } from '../src/models/sections';

const rooms = [
  { name: 'Kitchen', activeAt: 3 },
  { name: 'attic', activeAt: 0 },
  { name: 'room 10', activeAt: 5 },
  { name: 'room 9', activeAt: 5 },
];
const names = (...args: Parameters<typeof sectionsOf>) =>
  sectionsOf(...args).map(({ kind, rooms }) => [kind, ...rooms.map(({ name }) => name)]);

describe('the list of rooms', () => {
  it('is in the order of the names, whatever their case, with numbers as numbers', () => {
    expect(names(rooms, 'name', () => false)).toEqual([['rooms', 'attic', 'Kitchen', 'room 9', 'room 10']]);
  });

  it('is in the order of activity, and of names where it is equal', () => {
    expect(names(rooms, 'activity', () => false)).toEqual([['rooms', 'room 9', 'room 10', 'Kitchen', 'attic']]);
  });

  it('has direct rooms in a section of their own, below', () => {
    const people = [{ name: 'Bob', activeAt: 9, isDirect: true }, ...rooms];
    expect(names(people, 'activity', () => false)[1]).toEqual(['direct', 'Bob']);
    expect(names(people, 'activity', ({ name }) => name === 'Bob')[0]).toEqual(['favourites', 'Bob']);
  });

  it('has the favourites above the others, and no empty section', () => {
    const isFavourite = ({ name }: { name: string }) => name.startsWith('room');
    expect(names(rooms, 'name', isFavourite)).toEqual([
      ['favourites', 'room 9', 'room 10'],
      ['rooms', 'attic', 'Kitchen'],
    ]);
    expect(names(rooms, 'name', () => true).length).toBe(1);
    expect(names([], 'name', () => true)).toEqual([]);
  });
});
