/**
 * A message's text as a tree: paragraphs, quotes, lists, code, tables. It knows no component and no message.
 *
 * These are the marks that people use in a chat, not all of Markdown: no headings (`#general` is a room), no HTML, no
 * indented code, no references, which would swallow words. Libraries for Markdown have 15 KB (marked) to 42 KB
 * (markdown-it) compressed, of the 60 KB that the first load may have, and most of it would be switched off. This has 3 KB,
 * and a bounded number of steps for each character.
 */
import { inline, plainInline, type Inline } from './inline';

export type Block =
  | { kind: 'paragraph'; parts: Inline[] }
  | { kind: 'code'; language: string; text: string }
  | { kind: 'quote'; blocks: Block[] }
  /** `start` is the first number; null if the list has bullets. */
  | { kind: 'list'; start: number | null; items: Block[][] }
  | { kind: 'table'; head: Inline[][]; rows: Inline[][][]; ends: boolean[] };

/** Quotes and lists within each other. Deeper ones stay text. */
export const DEEPEST = 6;
const COLUMNS = 12;

const FENCE = /^ {0,3}(`{3,}|~{3,})[ \t]*([\w+#.-]*)[ \t]*$/;
const QUOTE = /^>(?: |$|(?=>))/;
const ITEM = /^( {0,3})([-*+•]|\d{1,3}[.)])( +)(?=\S)/;
const RULER_CELL = /^:?-+:?$/;

export function blocksOf(text: string): Block[] {
  return new Blocks(text.split(/\r?\n/), 0).parse();
}

/** In one line without marks: for quotes, lists of pins, screen readers. */
export function plain(blocks: readonly Block[]): string {
  return blocks.map(plainBlock).join(' ').replace(/\s+/g, ' ').trim();
}

function plainBlock(block: Block): string {
  if (block.kind === 'paragraph') return plainInline(block.parts);
  if (block.kind === 'code') return block.text;
  if (block.kind === 'quote') return plain(block.blocks);
  if (block.kind === 'list') return block.items.map(plain).join(' ');
  return [block.head, ...block.rows].map((cells) => cells.map(plainInline).join(' ')).join(' ');
}

class Blocks {
  readonly #lines: readonly string[];
  readonly #depth: number;
  #at = 0;

  constructor(lines: readonly string[], depth: number) {
    this.#lines = lines;
    this.#depth = depth;
  }

  parse(): Block[] {
    const blocks: Block[] = [];
    while (this.#at < this.#lines.length) {
      if (this.#line().trim() === '') this.#at += 1;
      else blocks.push(this.#code() ?? this.#quote() ?? this.#list() ?? this.#table() ?? this.#paragraph());
    }
    return blocks;
  }

  #line(ahead = 0): string {
    return this.#lines[this.#at + ahead] ?? '';
  }

  #code(): Block | null {
    const [, fence, language = ''] = FENCE.exec(this.#line()) ?? [];
    if (fence === undefined) return null;
    const from = this.#at + 1;
    const isEnd = (line: string) => line.trim().startsWith(fence) && line.trim().replaceAll(fence[0] ?? '', '') === '';
    let to = from;
    while (to < this.#lines.length && !isEnd(this.#lines[to] ?? '')) to += 1;
    this.#at = to + 1;
    return { kind: 'code', language: language.toLowerCase(), text: this.#lines.slice(from, to).join('\n') };
  }

  #quote(): Block | null {
    const lines: string[] = [];
    if (this.#depth >= DEEPEST) return null;
    for (; QUOTE.test(this.#line()); this.#at += 1) lines.push(this.#line().replace(QUOTE, ''));
    return lines.length === 0 ? null : { kind: 'quote', blocks: this.#within(lines) };
  }

  #list(): Block | null {
    const first = this.#item();
    if (first === null) return null;
    const items: Block[][] = [];
    for (let item = this.#item(); item?.bullet === first.bullet; item = this.#item()) {
      const lines = [this.#line().slice(item.indent)];
      for (this.#at += 1; this.#isContinued(); this.#at += 1) lines.push(dedented(this.#line(), item.indent));
      items.push(this.#within(lines));
      if (this.#line().trim() === '' && this.#item(1)?.bullet === first.bullet) this.#at += 1;
    }
    return { kind: 'list', start: first.start, items };
  }

  /** A number is a bullet of its own kind. */
  #item(ahead = 0): { bullet: string; indent: number; start: number | null } | null {
    const found = this.#depth < DEEPEST ? ITEM.exec(this.#line(ahead)) : null;
    if (found === null) return null;
    const [{ length: indent }, , bullet = ''] = found;
    const start = /\d/.test(bullet) ? parseInt(bullet) : null;
    return { bullet: start === null ? 'bullet' : 'number', indent, start };
  }

  /** A line that belongs to the item above. */
  #isContinued(): boolean {
    const isIndented = (line: string) => /^(?: {2,}|\t)\S/.test(line);
    return isIndented(this.#line()) || (this.#line().trim() === '' && isIndented(this.#line(1)));
  }

  #table(): Block | null {
    if (!this.#isTable()) return null;
    const head = cellsOf(this.#line());
    const ends = cellsOf(this.#line(1)).map((cell) => cell.endsWith(':') && !cell.startsWith(':'));
    const rows: string[][] = [];
    for (this.#at += 2; this.#line().includes('|'); this.#at += 1) rows.push(cellsOf(this.#line()));
    const filled = rows.map((row) => head.map((_, column) => inline(row[column] ?? '')));
    return { kind: 'table', head: head.map(inline), rows: filled, ends };
  }

  #isTable(): boolean {
    if (!this.#line().includes('|') || !this.#line(1).includes('|')) return false;
    const ruler = cellsOf(this.#line(1));
    return ruler.length <= COLUMNS && ruler.every(isRuler) && cellsOf(this.#line()).length === ruler.length;
  }

  #paragraph(): Block {
    const lines = [this.#line()];
    for (this.#at += 1; this.#line().trim() !== '' && !this.#isBeginning(); this.#at += 1) lines.push(this.#line());
    return { kind: 'paragraph', parts: inline(lines.join('\n')) };
  }

  #isBeginning(): boolean {
    const line = this.#line();
    const isNested = this.#depth < DEEPEST && (QUOTE.test(line) || ITEM.test(line));
    return isNested || FENCE.test(line) || this.#isTable();
  }

  #within(lines: readonly string[]): Block[] {
    return new Blocks(lines, this.#depth + 1).parse();
  }
}

const isRuler = (cell: string) => RULER_CELL.test(cell);

function dedented(line: string, indent: number): string {
  const blanks = line.length - line.trimStart().length;
  return line.startsWith('\t') ? line.slice(1) : line.slice(Math.min(blanks, indent));
}

function cellsOf(line: string): string[] {
  return line
    .trim()
    .replace(/^\||(?<!\\)\|$/g, '')
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim());
}
