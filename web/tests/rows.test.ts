import { describe, expect, it } from 'vitest';
import { Arrangement } from '../src/models/rows';
import type { Line, Said } from '../src/models/lines';

const NOON = new Date(2026, 10, 20, 12).getTime();
const MINUTE = 60_000;

function said(text: string, at: number, user = 'bob'): Said {
  return {
    kind: 'said',
    id: `${user} ${text}`,
    user,
    name: user,
    isMine: false,
    text,
    at,
    edited: false,
    deleted: false,
    pinned: false,
    reactions: [],
    state: 'sent',
  };
}

/** The first message of a group has a star before it, the last one a star behind it. */
const shape = (...lines: Line[]) =>
  new Arrangement()
    .rowsOf(lines)
    .map((row) =>
      row.kind === 'message' ? `${row.opens ? '*' : ''}${row.message.text}${row.closes ? '*' : ''}` : row.kind,
    );

describe('an arrangement', () => {
  it('groups what one person says without a pause', () => {
    const lines = [said('a', NOON), said('b', NOON), said('c', NOON + MINUTE), said('d', NOON + 2 * MINUTE, 'alice')];
    expect(shape(...lines)).toEqual(['day', '*a', 'b', 'c*', '*d*']);
  });

  it('names the person again after a pause', () => {
    expect(shape(said('a', NOON), said('b', NOON + 5 * MINUTE))).toEqual(['day', '*a*', '*b*']);
  });

  it('starts each day with its name', () => {
    expect(shape(said('a', NOON), said('b', NOON + 13 * 60 * MINUTE))).toEqual(['day', '*a*', 'day', '*b*']);
  });

  it('starts a new group after a line about joins', () => {
    const moved: Line = { kind: 'moved', id: 'm', at: NOON, came: [{ user: 'carol', name: 'Carol' }], went: [] };
    expect(shape(said('a', NOON), moved, said('b', NOON))).toEqual(['day', '*a*', 'moved', '*b*']);
  });

  it('keeps the row of a message that has not changed', () => {
    const arrangement = new Arrangement();
    const [first, second, third] = [said('a', NOON), said('b', NOON), said('c', NOON)];
    const before = arrangement.rowsOf([first, second]);
    const after = arrangement.rowsOf([first, second, third]);
    expect(after.slice(0, 2).map((row, index) => row === before[index])).toEqual([true, true]);
    expect(after[2]).not.toBe(before[2]);
  });

  it('keeps every message in its row when others are added above it', () => {
    const [first, second] = [said('a', NOON), said('b', NOON)];
    const ids = (...lines: Said[]) => new Arrangement().rowsOf(lines).map(({ id }) => id);
    expect(ids(first, second)).toEqual(expect.arrayContaining(ids(second).slice(1)));
  });

  it('folds what blocked people say into one line, until somebody else speaks', () => {
    const lines = [said('a', NOON), said('b', NOON), said('c', NOON, 'alice'), said('d', NOON)];
    const rows = new Arrangement().rowsOf(lines, null, ({ user, text }) => user === 'bob' && text !== 'd');
    expect(rows.map(({ kind }) => kind)).toEqual(['day', 'folded', 'message', 'message']);
    expect(rows[1]).toMatchObject({ messages: [{ text: 'a' }, { text: 'b' }] });
    expect(rows[2]).toMatchObject({ opens: true, closes: true });
  });

  it('begins another folded line at the first new message, and keeps one that has not changed', () => {
    const arrangement = new Arrangement();
    const lines = [said('a', NOON), said('b', NOON)];
    const unread = arrangement.rowsOf(lines, 'bob b', () => true);
    expect(unread.map(({ kind }) => kind)).toEqual(['day', 'folded', 'unread', 'folded']);
    const [, before] = arrangement.rowsOf(lines, null, () => true);
    const [, after] = arrangement.rowsOf([...lines, said('c', NOON, 'alice')], null, ({ user }) => user === 'bob');
    expect(after).toBe(before);
  });
});
