/**
 * Rows in sheets of about the same number, so that the page lays out and skips a few sheets instead of hundreds of rows. A
 * row stays in its sheet, and a sheet whose rows have not changed stays the same object.
 *
 * New rows at the end can be hidden until all of them are made. They are in sheets of their own, and stay there.
 */
import type { Row } from './rows';

export interface Sheet {
  /** It rises from sheet to sheet, and stays when older ones come above. */
  id: number;
  rows: readonly Row[];
  isHidden: boolean;
}

/** About one screen. */
const SIZE = 25;

export class Sheets {
  #last: readonly Sheet[] = [];
  /** The sheet of each row, by the row's id. */
  #places = new Map<string, number>();
  /** This sheet and those below it are hidden. */
  #hiddenFrom = Infinity;

  of(rows: readonly Row[], hidesNew = false): readonly Sheet[] {
    if (!hidesNew) this.#hiddenFrom = Infinity;
    else if (this.#hiddenFrom === Infinity) this.#hiddenFrom = (this.#last.at(-1)?.id ?? Infinity) + 1;
    const known = new Map(this.#last.map((sheet) => [sheet.id, sheet]));
    this.#last = this.#arranged(rows).map((sheet) => {
      const before = known.get(sheet.id);
      const isHidden = sheet.id >= this.#hiddenFrom;
      const isSame = before?.isHidden === isHidden && areSame(before.rows, sheet.rows);
      return isSame ? before : { ...sheet, isHidden };
    });
    this.#places = new Map(this.#last.flatMap(({ id, rows }) => rows.map((row) => [row.id, id] as const)));
    return this.#last;
  }

  #arranged(rows: readonly Row[]): Omit<Sheet, 'isHidden'>[] {
    const first = rows.findIndex(({ id }) => this.#places.has(id));
    const older = rows.slice(0, Math.max(0, first));
    if (first < 0) this.#hiddenFrom = Infinity;
    const newest = rows.findLastIndex(({ id }) => this.#places.has(id));
    const sheets: { id: number; rows: Row[] }[] = [];
    for (const [index, row] of rows.entries()) {
      if (index < older.length) continue;
      const last = sheets.at(-1);
      const place = this.#places.get(row.id);
      if (last === undefined) sheets.push({ id: place ?? 0, rows: [row] });
      else if (place !== undefined && place > last.id) sheets.push({ id: place, rows: [row] });
      else if (
        place === undefined &&
        (last.rows.length >= SIZE || (index > newest && last.id + 1 === this.#hiddenFrom))
      )
        sheets.push({ id: last.id + 1, rows: [row] });
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
