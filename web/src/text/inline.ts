/** What is inside of a line: bold, italics, code, links, mentions. It knows no blocks. */

export type Inline =
  | { kind: 'text'; text: string }
  | { kind: 'code'; text: string }
  | { kind: 'mention'; text: string }
  /** `#` and what may be the key of a room. This module knows no rooms. */
  | { kind: 'room'; text: string }
  | { kind: 'bold'; parts: Inline[] }
  | { kind: 'italic'; parts: Inline[] }
  | { kind: 'struck'; parts: Inline[] }
  /** `leadsTo` is the host, if the words could make a reader expect another one. */
  | { kind: 'link'; href: string; parts: Inline[]; leadsTo: string | null };

const SCHEMES = ['http:', 'https:', 'mailto:'];

/** Each alternative begins with another character, and none can match the same text in two ways: it takes linear time. */
const TOKEN = new RegExp(
  [
    String.raw`(?<escaped>\\[\\\x60*_~[\]()<>#|-])`,
    String.raw`(?<ticks>\x60+)`,
    String.raw`(?<address>https?:\/\/[^\s<>"'\x60[\]]+)`,
    String.raw`(?<mention>(?<![\p{L}\p{N}_@])@[\p{L}\p{N}_.:@|-]+)`,
    String.raw`(?<room>(?<![\p{L}\p{N}_#&/])#[\p{L}\p{N}_.:@|-]+)`,
    String.raw`(?<marks>\*+|_+|~+)`,
    String.raw`(?<opens>\[)`,
    String.raw`\]\((?<target>[^\s()<>]*(?:\([^\s()<>]*\)[^\s()<>]*)*)\)`,
  ].join('|'),
  'gu',
);

const KINDS: Record<string, 'bold' | 'italic' | 'struck'> = {
  '**': 'bold',
  __: 'bold',
  '*': 'italic',
  _: 'italic',
  '~~': 'struck',
};

/** Punctuation after an address that belongs to the sentence. */
const TRAILING = '.,:;!?…*_~';
const LOOKS_LIKE_AN_ADDRESS = /:\/\/|\p{L}\.\p{L}{2}/u;

/** A mark that may begin something, and its place among the parts so far. */
interface Opener {
  mark: string;
  at: number;
}

export function inline(text: string): Inline[] {
  return new Line(text).parse();
}

/** The text without its marks, for one line of words. */
export function plainInline(parts: readonly Inline[]): string {
  return parts.map((part) => ('parts' in part ? plainInline(part.parts) : part.text)).join('');
}

/** Null if the address is not of a kind that a click may follow. */
export function safeAddress(address: string): string | null {
  const url = URL.canParse(address) ? new URL(address) : null;
  return url !== null && SCHEMES.includes(url.protocol) ? url.href : null;
}

/**
 * Goes through the text once. Each kind of mark is open at most once, so what is nested is never deeper than there are
 * kinds of marks, whatever the text.
 */
class Line {
  readonly #text: string;
  readonly #open: Opener[] = [];
  #parts: Inline[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  parse(): Inline[] {
    const text = this.#text;
    let end = 0;
    TOKEN.lastIndex = 0;
    for (let token = TOKEN.exec(text); token !== null; token = TOKEN.exec(text)) {
      this.#say(text.slice(end, token.index));
      end = TOKEN.lastIndex = this.#take(token);
    }
    this.#say(text.slice(end));
    return joined(this.#parts);
  }

  /** Returns the place after the token. */
  #take(token: RegExpExecArray): number {
    const { escaped, ticks, address, mention, room, marks, opens, target } = token.groups ?? {};
    const after = token.index + token[0].length;
    if (escaped !== undefined) this.#say(escaped.slice(1));
    else if (ticks !== undefined) return this.#code(token.index, ticks);
    else if (address !== undefined) return token.index + this.#address(address);
    else if (mention !== undefined) return token.index + this.#named('mention', mention);
    else if (room !== undefined) return token.index + this.#named('room', room);
    else if (marks !== undefined) this.#mark(marks, token.index);
    else if (opens !== undefined) this.#bracket();
    else this.#link(token[0], target ?? '');
    return after;
  }

  #say(text: string): void {
    if (text !== '') this.#parts.push({ kind: 'text', text });
  }

  #code(at: number, ticks: string): number {
    const from = at + ticks.length;
    for (let end = this.#text.indexOf(ticks, from); end >= 0; end = this.#text.indexOf(ticks, end)) {
      const length = runAt(this.#text, end);
      if (length === ticks.length) {
        this.#parts.push({ kind: 'code', text: trimmedCode(this.#text.slice(from, end)) });
        return end + length;
      }
      end += length;
    }
    this.#say(ticks);
    return from;
  }

  #address(found: string): number {
    const address = withoutSentence(found);
    const href = safeAddress(address);
    if (href === null) this.#say(address);
    else this.#parts.push({ kind: 'link', href, parts: [{ kind: 'text', text: address }], leadsTo: null });
    return address.length;
  }

  #named(kind: 'mention' | 'room', found: string): number {
    const text = found.replace(/[.:|-]{1,8}$/, '');
    if (text.length < 2) this.#say(text);
    else this.#parts.push({ kind, text });
    return text.length;
  }

  #mark(marks: string, at: number): void {
    const before = this.#text[at - 1] ?? ' ';
    const after = this.#text[at + marks.length] ?? ' ';
    for (const mark of this.#split(marks)) {
      const isWithinWord = mark.startsWith('_') ? isWord : isLatin;
      const isDouble = mark.length === 2 && mark !== '__';
      const canClose = !isBlank(before) && (isDouble || !isWithinWord(after));
      const canOpen = !isBlank(after) && (isDouble || !isWithinWord(before));
      if (!(canClose && this.#close(mark))) this.#begin(mark, canOpen);
    }
  }

  /** `***` is two marks: when it closes, the inner one first. */
  #split(marks: string): string[] {
    if (marks in KINDS) return [marks];
    const single = marks[0] ?? '';
    const double = single + single;
    if (marks.length !== 3 || !(double in KINDS) || !(single in KINDS)) return [marks];
    return this.#open.at(-1)?.mark === single ? [single, double] : [double, single];
  }

  /** The last bracket before a target is the one that counts. */
  #bracket(): void {
    const earlier = this.#open.findIndex((opener) => opener.mark === '[');
    if (earlier >= 0) this.#open.splice(earlier, 1);
    this.#open.push({ mark: '[', at: this.#parts.push({ kind: 'text', text: '[' }) - 1 });
  }

  #begin(mark: string, canOpen: boolean): void {
    const at = this.#parts.push({ kind: 'text', text: mark }) - 1;
    if (canOpen && mark in KINDS && !this.#open.some((opener) => opener.mark === mark)) this.#open.push({ mark, at });
  }

  /** What was opened after the mark was no opening: it stays text. */
  #close(mark: string): boolean {
    const kind = KINDS[mark];
    const opened = this.#open.findLastIndex((opener) => opener.mark === mark);
    if (kind === undefined || opened < 0) return false;
    const parts = this.#takeFrom(opened);
    if (parts.length === 0) this.#say(mark + mark);
    else this.#parts.push({ kind, parts });
    return true;
  }

  #link(closing: string, target: string): void {
    const opened = this.#open.findLastIndex((opener) => opener.mark === '[');
    const href = safeAddress(target);
    if (href === null || opened < 0) {
      this.#say(closing);
      return;
    }
    const parts = this.#takeFrom(opened).flatMap(withoutLinks);
    this.#parts.push({ kind: 'link', href, parts, leadsTo: otherHost(plainInline(parts), href) });
  }

  #takeFrom(opened: number): Inline[] {
    const [opener] = this.#open.splice(opened);
    const parts = this.#parts.splice(opener?.at ?? 0);
    return joined(parts.slice(1));
  }
}

/** An address or a room within the words of a link is no link of its own. */
function withoutLinks(part: Inline): Inline[] {
  if (part.kind === 'room') return [{ kind: 'text', text: part.text }];
  if (part.kind === 'link') return part.parts;
  return 'parts' in part ? [{ ...part, parts: part.parts.flatMap(withoutLinks) }] : [part];
}

/** A link that shows one address and leads to another one says so. */
function otherHost(words: string, href: string): string | null {
  if (!LOOKS_LIKE_AN_ADDRESS.test(words)) return null;
  const { host, pathname } = new URL(href);
  const leadsTo = host || pathname;
  const shown = safeAddress(words) ?? safeAddress(`https://${words}`);
  return shown !== null && new URL(shown).host === host ? null : leadsTo;
}

function withoutSentence(address: string): string {
  let end = address.length;
  let open = 0;
  for (const character of address) open += character === '(' ? 1 : character === ')' ? -1 : 0;
  for (;;) {
    const last = address[end - 1] ?? '';
    if (last === ')' && open < 0) open += 1;
    else if (!TRAILING.includes(last) || last === '') return address.slice(0, end);
    end -= 1;
  }
}

function runAt(text: string, from: number): number {
  let end = from;
  while (text[end] === '`') end += 1;
  return end - from;
}

/** A blank on both sides makes room for a backtick within. */
function trimmedCode(code: string): string {
  return code.startsWith(' ') && code.endsWith(' ') && code.trim() !== '' ? code.slice(1, -1) : code;
}

function joined(parts: Inline[]): Inline[] {
  const found: Inline[] = [];
  let words: string[] = [];
  const finish = () => {
    if (words.length > 0) found.push({ kind: 'text', text: words.join('') });
    words = [];
  };
  for (const part of parts) {
    if (part.kind === 'text') {
      words.push(part.text);
      continue;
    }
    finish();
    found.push(part);
  }
  finish();
  return found;
}

const isBlank = (character: string) => /\s/.test(character);
const isWord = (character: string) => /[\p{L}\p{N}]/u.test(character);
const isLatin = (character: string) => /[A-Za-z0-9]/.test(character);
