/** Finds what somebody means by a few letters: those letters in that order, at the beginnings of words first. */

export interface Found<Item> {
  item: Item;
  score: number;
}

/** The items that match, the best first; items that match equally well stay in their order. */
export function search<Item>(items: readonly Item[], textOf: (item: Item) => string, query: string): Item[] {
  const found = items.flatMap((item): Found<Item>[] => {
    const score = scoreOf(textOf(item), query);
    return score === null ? [] : [{ item, score }];
  });
  return found.sort((a, b) => b.score - a.score).map(({ item }) => item);
}

/** Null if the text does not hold the letters of the query in their order. */
export function scoreOf(text: string, query: string): number | null {
  const letters = [...plain(query)].filter((letter) => letter !== ' ');
  const characters = [...plain(text)];
  let score = 0;
  let at = -1;
  for (const letter of letters) {
    const next = characters.indexOf(letter, at + 1);
    if (next < 0) return null;
    const beginsWord = next === 0 || !/[\p{L}\p{N}]/u.test(characters[next - 1] ?? '');
    score += next === at + 1 ? 3 : beginsWord ? 2 : 0;
    at = next;
  }
  // Of two texts with the same letters, the shorter one is meant.
  return score - characters.length / 1_000;
}

/** Whether the text has the part in one piece. */
export function holds(text: string, part: string): boolean {
  return plain(text).includes(plain(part));
}

/** Without case and accents. */
function plain(text: string): string {
  return text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
}
