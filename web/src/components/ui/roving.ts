/**
 * Groups of which the Tab key reaches one element, and the arrow keys the others: menus, toolbars, lists.
 * https://www.w3.org/WAI/ARIA/apg/practices/keyboard-interface/#kbd_roving_tabindex
 * This module knows keys and places, and no element's meaning.
 */

export interface Group {
  count: number;
  /** The keys that lead to the place before and to the one after. */
  before: string;
  after: string;
  /** After the last place comes the first one. */
  wraps: boolean;
}

/** The place to which a key leads, or null if it is none of the group's keys, or leads nowhere. */
export function placeAfter(key: string, from: number, { count, before, after, wraps }: Group): number | null {
  if (count === 0) return null;
  if (key === 'Home') return 0;
  if (key === 'End') return count - 1;
  if (key !== before && key !== after) return null;
  const place = key === after ? from + 1 : (from < 0 ? count : from) - 1;
  if (wraps) return (place + count) % count;
  return place >= 0 && place < count ? place : null;
}

/** The next place whose label begins with this letter, or null. */
export function placeOf(letter: string, from: number, labels: readonly string[]): number | null {
  if ([...letter].length !== 1 || letter === ' ') return null;
  const begins = (label: string) => label.toLocaleLowerCase().startsWith(letter.toLocaleLowerCase());
  const places = labels.map((_, step) => (from + 1 + step) % labels.length);
  return places.find((place) => begins(labels[place] ?? '')) ?? null;
}
