/**
 * Rows in sheets of about the same number, so that the page lays out and skips a few sheets instead of hundreds of rows. A
 * row stays in its sheet, and a sheet whose rows have not changed stays the same object.
 */
import type { Row } from './rows';

export interface Sheet {
  /** It rises from sheet to sheet, and stays when older ones come above. */
  id: number;
  rows: readonly Row[];
}

/** About one screen. */
const SIZE = 25;

export class Sheets {
  #last: readonly Sheet[] = [];
  /** The sheet of each row, by the row's id. */
  #places = new Map<string, number>();

  of(rows: readonly Row[]): readonly Sheet[] {
    const known = new Map(this.#last.map((sheet) => [sheet.id, sheet]));
    this.#last = this.#arranged(rows).map((sheet) => {
      const before = known.get(sheet.id);
      return before !== undefined && areSame(before.rows, sheet.rows) ? before : sheet;
    });
    this.#places = new Map(this.#last.flatMap(({ id, rows }) => rows.map((row) => [row.id, id] as const)));
    return this.#last;
  }

  #arranged(rows: readonly Row[]): Sheet[] {
    const first = rows.findIndex(({ id }) => this.#places.has(id));
    const older = rows.slice(0, Math.max(0, first));
    const sheets: { id: number; rows: Row[] }[] = [];
    for (const row of rows.slice(older.length)) {
      const last = sheets.at(-1);
      const place = this.#places.get(row.id);
      if (last === undefined) sheets.push({ id: place ?? 0, rows: [row] });
      else if (place !== undefined && place > last.id) sheets.push({ id: place, rows: [row] });
      else if (place === undefined && last.rows.length >= SIZE) sheets.push({ id: last.id + 1, rows: [row] });
      else last.rows.push(row);
    }
    // From below, so that the sheets that are there keep their rows.
    for (const row of older.reverse()) {
      const next = sheets[0];
      if (next !== undefined && next.rows.length < SIZE) next.rows.unshift(row);
      else sheets.unshift({ id: (next?.id ?? 0) - 1, rows: [row] });
    }
    return sheets;
  }
}

/** The last sheets, as many as hold so many rows. */
export function lastOf(sheets: readonly Sheet[], rows: number): readonly Sheet[] {
  let held = 0;
  const first = sheets.findLastIndex((sheet) => (held += sheet.rows.length) >= rows);
  return first > 0 ? sheets.slice(first) : sheets;
}

function areSame(some: readonly Row[], others: readonly Row[]): boolean {
  return some.length === others.length && some.every((row, index) => row === others[index]);
}
