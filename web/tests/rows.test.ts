import { describe, expect, it } from 'vitest';
import { arrange } from '../src/models/rows';
import type { Said } from '../src/models/lines';

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

const shape = (...lines: Said[]) =>
  arrange(lines).map((row) => (row.kind === 'talk' ? row.messages.map(({ text }) => text) : row.kind));

describe('arrange', () => {
  it('gathers what one person says without a pause', () => {
    const lines = [said('a', NOON), said('b', NOON + MINUTE), said('c', NOON + 2 * MINUTE, 'alice')];
    expect(shape(...lines)).toEqual(['day', ['a', 'b'], ['c']]);
  });

  it('names the person again after a pause', () => {
    expect(shape(said('a', NOON), said('b', NOON + 5 * MINUTE))).toEqual(['day', ['a'], ['b']]);
  });

  it('begins each day with its name', () => {
    expect(shape(said('a', NOON), said('b', NOON + 13 * 60 * MINUTE))).toEqual(['day', ['a'], 'day', ['b']]);
  });

  it('lets others come between', () => {
    const rows = arrange([
      said('a', NOON),
      { kind: 'moved', id: 'm', at: NOON, came: ['carol'], went: [] },
      said('b', NOON),
    ]);
    expect(rows.map(({ kind }) => kind)).toEqual(['day', 'talk', 'moved', 'talk']);
  });
});
