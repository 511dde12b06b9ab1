/** The lines of a timeline: one for each message or event, made from the wire's events. */
import type { ChangedEvent, Failure, MessageEvent, Quote, Reaction, Unsent } from 'hubbub-client';
import { words } from '../words/language.svelte';
import type { Person } from './names.svelte';
import { isBlank, type Me } from './text';

export interface Said {
  kind: 'said';
  /** The same for my unsent message and the stored one, so that no line jumps. */
  id: string;
  seq?: number;
  rev?: number;
  /** The sender's key: a repeat under it is the same message. */
  key?: string;
  user: string;
  name: string;
  isMine: boolean;
  text: string;
  at: number;
  replyTo?: number;
  quote?: Quote;
  edited: boolean;
  deleted: boolean;
  pinned: boolean;
  reactions: readonly Reaction[];
  state: 'sending' | 'sent' | 'failed';
  /** Why it failed. */
  failure?: Failure;
}

/** Sent by the server or the app, not by a person. */
export interface Announced {
  kind: 'announced';
  id: string;
  seq?: number;
  rev?: number;
  text: string;
  at: number;
}

/** Who joined and who left, in one line until somebody speaks. */
export interface Moved {
  kind: 'moved';
  id: string;
  at: number;
  came: Person[];
  went: Person[];
}

/** Messages may be missing here: the room stores none, and this client was away. */
export interface Missed {
  kind: 'missed';
  id: string;
  at: number;
}

export type Line = Said | Announced | Moved | Missed;

/** A message with a place in the room's log, which can be changed, answered and quoted. */
export type Stored = Said & { seq: number };

export function isStored(line: Line): line is Stored {
  return line.kind === 'said' && line.state === 'sent' && line.seq !== undefined;
}

export function lineOf(event: MessageEvent, me: Me, newId: () => string): Said | Announced {
  const { user, name, text, seq, rev, key, quote } = event;
  const at = Date.parse(event.ts);
  const isMine = user === me.user;
  // Never its key: two people with the same name may have used the same key.
  const id = seq === undefined ? newId() : `seq ${seq}`;
  if (event.kind === 'system') return { kind: 'announced', id, seq, rev, text, at };
  return {
    kind: 'said',
    id,
    seq,
    rev,
    key,
    user,
    name,
    isMine,
    text,
    at,
    replyTo: event.reply_to,
    quote,
    edited: event.edited !== undefined,
    deleted: event.deleted !== undefined,
    pinned: event.pinned === true,
    reactions: event.reactions ?? [],
    state: 'sent',
  };
}

/** Keys distinguish only my own unsent messages. */
export function unsentId(key: string): string {
  return `unsent ${key}`;
}

/** My own message, before the server has it. */
export function unsentLine({ key, text, at, replyTo, failure }: Unsent, me: Me, quote?: Quote): Said {
  return {
    kind: 'said',
    id: unsentId(key),
    key,
    user: me.user,
    name: me.name,
    isMine: true,
    text,
    at,
    replyTo,
    quote,
    edited: false,
    deleted: false,
    pinned: false,
    reactions: [],
    state: failure === undefined ? 'sending' : 'failed',
    failure,
  };
}

export function changedLine(line: Said, { rev, text, edited, deleted, pinned, reactions }: ChangedEvent): Said {
  if (deleted !== undefined) return deletedLine({ ...line, rev });
  return {
    ...line,
    rev,
    text: text ?? line.text,
    edited: line.edited || edited !== undefined,
    pinned: pinned ?? line.pinned,
    reactions: reactions ?? line.reactions,
  };
}

/** The text to show for a message, and whether the sender wrote it. */
export function shownText({ text, deleted }: Said): { text: string; isTheirs: boolean } {
  if (deleted) return { text: words().message.deleted, isTheirs: false };
  if (isBlank(text)) return { text: words().message.empty, isTheirs: false };
  return { text, isTheirs: true };
}

/** Remarks about a message, beside its text. */
export function marksOf({ edited, pinned, deleted }: Said): string[] {
  const { isEdited, isPinned } = words().message;
  return deleted ? [] : [edited ? isEdited : '', pinned ? isPinned : ''].filter((mark) => mark !== '');
}

/** As much of a message as the server quotes. */
export function quoteOf({ user, name, text, deleted }: Said): Quote {
  const beginning = [...text].slice(0, QUOTED).join('');
  return deleted ? { user, name, text: '', deleted } : { user, name, text: beginning };
}

const QUOTED = 140;

function deletedLine(line: Said): Said {
  return { ...line, text: '', deleted: true, pinned: false, reactions: [], replyTo: undefined, quote: undefined };
}
