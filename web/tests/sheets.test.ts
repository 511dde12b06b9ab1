import { describe, expect, it } from 'vitest';
import type { Row } from '../src/models/rows';
import { lastOf, Sheets, type Sheet } from '../src/models/sheets';

const made = new Map<number, Row>();

function row(number: number): Row {
  const known = made.get(number) ?? { kind: 'missed', id: `line ${number}`, at: 0 };
  made.set(number, known);
  return known;
}

const rows = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => row(from + index));

/** How many rows there are in each sheet. */
const sizes = (sheets: readonly Sheet[]) => sheets.map((sheet) => sheet.rows.length);

/** The sheets of `after` that are those of `before`. */
const kept = (before: readonly Sheet[], after: readonly Sheet[]) => after.filter((sheet) => before.includes(sheet));

describe('sheets', () => {
  it('hold all rows in their order', () => {
    const sheets = new Sheets().of(rows(1, 60));
    expect(sizes(sheets)).toEqual([25, 25, 10]);
    expect(sheets.flatMap((sheet) => sheet.rows)).toEqual(rows(1, 60));
  });

  it('change in one sheet when a row comes below', () => {
    const sheets = new Sheets();
    const before = sheets.of(rows(1, 60));
    const after = sheets.of(rows(1, 61));
    expect(sizes(after)).toEqual([25, 25, 11]);
    expect(sizes(kept(before, after))).toEqual([25, 25]);
  });

  it('change in two sheets when a row comes below and the first one goes', () => {
    const sheets = new Sheets();
    const before = sheets.of(rows(1, 75));
    const after = sheets.of(rows(2, 76));
    expect(sizes(after)).toEqual([24, 25, 25, 1]);
    expect(sizes(kept(before, after))).toEqual([25, 25]);
    expect(sizes(sheets.of(rows(26, 100)))).toEqual([25, 25, 25]);
  });

  it('stay when older rows come above', () => {
    const sheets = new Sheets();
    const before = sheets.of(rows(101, 140));
    const after = sheets.of(rows(71, 140));
    expect(sizes(after)).toEqual([5, 25, 25, 15]);
    expect(kept(before, after)).toEqual(before);
    const ids = after.map(({ id }) => id);
    expect(ids).toEqual([...ids].sort((a, b) => a - b));
  });

  it('take a row that comes between two others', () => {
    const sheets = new Sheets();
    const [first, second] = [rows(1, 25), rows(26, 40)];
    sheets.of([...first, ...second]);
    const after = sheets.of([...first, row(0), ...second]);
    expect(after.flatMap((sheet) => sheet.rows)).toEqual([...first, row(0), ...second]);
  });

  it('have ids of their own and all rows when rows change their places', () => {
    const sheets = new Sheets();
    sheets.of(rows(1, 60));
    const moved = [...rows(1, 10), ...rows(55, 60), ...rows(11, 54)];
    const after = sheets.of(moved);
    expect(after.flatMap((sheet) => sheet.rows)).toEqual(moved);
    expect(new Set(after.map(({ id }) => id)).size).toBe(after.length);
  });

  it('begin again with other rows', () => {
    const sheets = new Sheets();
    sheets.of(rows(1, 60));
    expect(sizes(sheets.of(rows(200, 249)))).toEqual([25, 25]);
    expect(sheets.of([])).toEqual([]);
  });
});

describe('new rows that are hidden', () => {
  const hidden = (sheets: readonly Sheet[]) => sheets.filter(({ isHidden }) => isHidden).flatMap((sheet) => sheet.rows);

  it('are in sheets of their own, and stay there when they are shown', () => {
    const sheets = new Sheets();
    const before = sheets.of(rows(1, 30));
    sheets.of(rows(1, 34), true);
    const during = sheets.of(rows(1, 60), true);
    expect(sizes(during)).toEqual([25, 5, 25, 5]);
    expect(hidden(during)).toEqual(rows(31, 60));
    expect(kept(before, during)).toEqual(before);
    const after = sheets.of(rows(1, 60));
    expect(hidden(after)).toEqual([]);
    expect(after.map(({ id }) => id)).toEqual(during.map(({ id }) => id));
    expect(sizes(sheets.of(rows(1, 61)))).toEqual([25, 5, 25, 6]);
  });

  it('hide no row that was visible, or that comes among such rows', () => {
    const sheets = new Sheets();
    sheets.of(rows(11, 20));
    const after = sheets.of([...rows(5, 15), row(0), ...rows(16, 22)], true);
    expect(hidden(after)).toEqual(rows(21, 22));
    expect(after.flatMap((sheet) => sheet.rows)).toEqual([...rows(5, 15), row(0), ...rows(16, 22)]);
  });

  it('are none where nothing was before', () => {
    const sheets = new Sheets();
    expect(hidden(sheets.of(rows(1, 50), true))).toEqual([]);
    expect(hidden(sheets.of(rows(101, 150), true))).toEqual([]);
  });
});

describe('the last sheets', () => {
  it('hold at least so many rows', () => {
    const sheets = new Sheets().of(rows(1, 51));
    expect(sizes(sheets)).toEqual([25, 25, 1]);
    expect(lastOf(sheets, 1)).toEqual(sheets.slice(2));
    expect(lastOf(sheets, 20)).toEqual(sheets.slice(1));
    expect(lastOf(sheets, 27)).toEqual(sheets);
  });

  it('are all of them if there are fewer rows', () => {
    const sheets = new Sheets().of(rows(1, 30));
    expect(lastOf(sheets, Infinity)).toEqual(sheets);
    expect(lastOf([], 20)).toEqual([]);
  });
});
