/** The word at the caret that can be completed: a person, a room or an emoji. It knows no lists of them, and no field. */

export type Kind = 'person' | 'room' | 'emoji';

export interface Word {
  kind: Kind;
  /** What is written after the sign. */
  query: string;
  /** Where the sign is, in the units of a field's selection. */
  start: number;
  /** The caret. */
  end: number;
  /** It is an emoji's name with both of its colons. */
  isClosed: boolean;
}

/** What is written in place of a part of the text. */
export interface Insertion {
  start: number;
  end: number;
  text: string;
}

/** More than the longest word, its sign and the character before it. */
const REACH = 80;

// Input methods for Chinese and Japanese write the wide signs. What is part of an address or of another word is no sign.
const KEYED = /(?<![\p{L}\p{N}_@#:/])(?<sign>[@＠#＃])(?<query>[\p{L}\p{M}\p{N}_.:@|'-]{0,64})$/u;
/** A name has two letters at least: `:)` and `:D` are no names. */
const NAMED = /(?<![\p{L}\p{N}_:/])[:：](?<query>[a-z0-9_+-]{2,32})(?<closing>[:：]?)$/iu;

/** Null if nothing can be completed there. */
export function wordAt(text: string, caret: number): Word | null {
  if (/^[\p{L}\p{N}_]/u.test(text.slice(caret, caret + 2))) return null;
  const before = text.slice(Math.max(0, caret - REACH), caret);
  const found = KEYED.exec(before) ?? NAMED.exec(before);
  if (found === null) return null;
  const { sign, query = '', closing = '' } = found.groups ?? {};
  const kind = sign === undefined ? 'emoji' : '@＠'.includes(sign) ? 'person' : 'room';
  return { kind, query, start: caret - found[0].length, end: caret, isClosed: closing !== '' };
}

/** A blank follows, so that the next word can be written at once. A second colon is followed by what its writer types. */
export function insertionOf(word: Word, written: string, text: string): Insertion {
  const { start, end, isClosed } = word;
  if (isClosed) return { start, end, text: written };
  return { start, end: text[end] === ' ' ? end + 1 : end, text: `${written} ` };
}
