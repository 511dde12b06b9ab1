/** What the part of the address after `#` means. */
import { isKey } from 'hubbub-client';

export type Address = { kind: 'none' } | { kind: 'room'; key: string } | { kind: 'wrong'; text: string };

/** What `isKey` requires of a room's name, for people who type one. */
export const ROOM_RULE = 'Letters, digits and . _ : - | @ only, beginning with a letter or digit.';

/** The part of a wrong address that the page shows. */
const SHOWN = 64;

export function addressIn(hash: string): Address {
  const text = decoded(hash.replace(/^#/, ''));
  if (text === '') return { kind: 'none' };
  return isKey(text) ? { kind: 'room', key: text } : { kind: 'wrong', text: [...text].slice(0, SHOWN).join('') };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
