/** Finds links and mentions in messages. The rest stays text, whatever it looks like. */

export interface Piece {
  kind: 'text' | 'link' | 'mention';
  text: string;
}

export interface Me {
  user: string;
  name: string;
}

const LINK = /https?:\/\/[^\s<>"'`]+/g;
/** Punctuation after a link that belongs to the sentence, not to the link. */
const TRAILING = /[.,:;!?…]+$/;
const MENTION = /(?<![\p{L}\p{N}_@])@[\p{L}\p{N}_.:@|-]+/gu;

/** Unicode's own list of characters that show nothing, and Braille's pattern without dots. */
const INVISIBLE = /[\p{Default_Ignorable_Code_Point}\u2800]/gu;

export function withoutInvisible(text: string): string {
  return text.replace(INVISIBLE, '');
}

/** Whether a text shows nothing. */
export function isBlank(text: string): boolean {
  return withoutInvisible(text).trim() === '';
}

export function pieces(text: string): Piece[] {
  const found: Piece[] = [];
  let end = 0;
  for (const match of text.matchAll(LINK)) {
    const link = trimmed(match[0]);
    if (!URL.canParse(link)) continue;
    found.push(...withMentions(text.slice(end, match.index)), { kind: 'link', text: link });
    end = match.index + link.length;
  }
  return [...found, ...withMentions(text.slice(end))];
}

export function mentions(text: string, me: Me): boolean {
  const names = new Set([me.user.toLowerCase(), me.name.toLowerCase()]);
  return pieces(text).some((piece) => piece.kind === 'mention' && names.has(piece.text.slice(1).toLowerCase()));
}

function trimmed(link: string): string {
  const plain = link.replace(TRAILING, '');
  const closesWhatItOpened = plain.split('(').length >= plain.split(')').length;
  return plain.endsWith(')') && !closesWhatItOpened ? trimmed(plain.slice(0, -1)) : plain;
}

function withMentions(text: string): Piece[] {
  const found: Piece[] = [];
  let end = 0;
  for (const match of text.matchAll(MENTION)) {
    const mention = match[0].replace(/[.:|-]+$/, '');
    if (mention.length < 2) continue;
    if (match.index > end) found.push({ kind: 'text', text: text.slice(end, match.index) });
    found.push({ kind: 'mention', text: mention });
    end = match.index + mention.length;
  }
  if (end < text.length) found.push({ kind: 'text', text: text.slice(end) });
  return found;
}
