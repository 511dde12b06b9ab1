/** Texts of messages, each parsed once. */
import type { Me } from '../models/text';
import { blocksOf, plain, type Block } from './blocks';
import type { Inline } from './inline';

export interface Text {
  readonly blocks: readonly Block[];
  /** In one line, without marks. */
  readonly plain: string;
  /** What is said in quotes and code mentions nobody. */
  readonly mentions: ReadonlySet<string>;
  /** A few emoji, and nothing more. */
  readonly isEmoji: boolean;
  /** The beginning of a long text. */
  readonly beginning: readonly Block[] | null;
}

/** A message longer than this is folded, and shows this much of it. */
const LINES = 18;
const CHARACTERS = 1_400;
/** A text that is only a little longer is shown whole. */
const TOLERANCE = 1.25;

const EMOJI = new RegExp(String.raw`^(?:\s{0,2}\p{RGI_Emoji}){1,8}\s*$`, 'v');
const EMOJI_LENGTH = 200;

/** By the text itself: an event, a line and a quote may have the same one. The oldest is dropped first. */
const kept = new Map<string, Text>();
const KEPT = 1_000;

export function textOf(said: string): Text {
  const known = kept.get(said);
  if (known !== undefined) return known;
  const text = parsed(said);
  kept.set(said, text);
  for (const oldest of kept.keys()) {
    if (kept.size <= KEPT) break;
    kept.delete(oldest);
  }
  return text;
}

export function mentions(said: string, me: Me): boolean {
  const names = textOf(said).mentions;
  return names.size > 0 && [me.user, me.name].some((name) => names.has(name.toLowerCase()));
}

function parsed(said: string): Text {
  const blocks = blocksOf(said);
  const beginning = beginningOf(said);
  return {
    blocks,
    plain: plain(blocks),
    mentions: new Set(mentionsIn(blocks)),
    isEmoji: said.length <= EMOJI_LENGTH && EMOJI.test(said),
    beginning: beginning === null ? null : blocksOf(beginning),
  };
}

function beginningOf(said: string): string | null {
  const lines = said.split('\n');
  if (lines.length <= LINES * TOLERANCE && said.length <= CHARACTERS * TOLERANCE) return null;
  const first = lines.slice(0, LINES).join('\n');
  // Not within a surrogate pair or an emoji of several characters.
  const shown = first.length <= CHARACTERS ? first : first.slice(0, CHARACTERS).replace(/\S{0,80}$/u, '');
  return `${shown.trimEnd()}…`;
}

function mentionsIn(blocks: readonly Block[]): string[] {
  return blocks.flatMap((block) => {
    if (block.kind === 'paragraph') return mentionsWithin(block.parts);
    if (block.kind === 'list') return block.items.flatMap(mentionsIn);
    if (block.kind === 'table') return [block.head, ...block.rows].flat().flatMap(mentionsWithin);
    return [];
  });
}

function mentionsWithin(parts: readonly Inline[]): string[] {
  return parts.flatMap((part) => {
    if (part.kind === 'mention') return [part.text.slice(1).toLowerCase()];
    return 'parts' in part ? mentionsWithin(part.parts) : [];
  });
}
