/**
 * What a room's log looks like to one reader. Messages are addressed by the room's `seq` where the
 * server numbers them, and by their sender's `key` until then; positions and gaps in the log are the
 * client's business, not this page's.
 */
import type { Ack, ChangedEvent, MessageEvent } from 'hubbub-client';

export interface Said {
  kind: 'said';
  /** Stays the same from the first keystroke's echo to the stored message, so that no line jumps. */
  id: string;
  seq?: number;
  rev?: number;
  /** The sender's, under which a repeat is the same message. */
  key?: string;
  user: string;
  name: string;
  text: string;
  at: number;
  edited: boolean;
  deleted: boolean;
  state: 'sending' | 'sent' | 'failed';
}

/** Spoken by the server or the app, not by a person. */
export interface Announced {
  kind: 'announced';
  id: string;
  seq?: number;
  rev?: number;
  text: string;
  at: number;
}

/** Who came and who went, told in one line until somebody speaks. */
export interface Moved {
  kind: 'moved';
  id: string;
  at: number;
  came: string[];
  went: string[];
}

/** Messages may be missing here: the room keeps none, and this client was away. */
export interface Missed {
  kind: 'missed';
  id: string;
  at: number;
}

export type Line = Said | Announced | Moved | Missed;

const UNCHANGED = { edited: false, deleted: false };

/** A page that stays open for a week must not grow for a week. */
const KEPT = 1000;

export class Timeline {
  #settled = $state.raw<Line[]>([]);
  /** Mine, not yet confirmed. They stand last, because the server's order is not known. */
  #pending = $state.raw<Said[]>([]);
  #count = 0;

  readonly lines: readonly Line[] = $derived([...this.#settled, ...this.#pending]);

  get isEmpty(): boolean {
    return this.lines.length === 0;
  }

  /** Something was said, or is told again; the higher `rev` wins. */
  show(event: MessageEvent): void {
    this.#put(this.#lineOf(event));
  }

  change({ seq, rev, text, edited, deleted }: ChangedEvent): void {
    const line = this.#settled.find((other) => seqOf(other) === seq);
    if (line?.kind !== 'said') return;
    const words = deleted === undefined ? (text ?? line.text) : '';
    this.#put({
      ...line,
      rev,
      text: words,
      edited: line.edited || edited !== undefined,
      deleted: line.deleted || deleted !== undefined,
    });
  }

  /** The room as it is now, nothing of before: the server could not bring us up to date. */
  startOver(messages: readonly MessageEvent[]): void {
    this.#settled = messages.map((event) => this.#lineOf(event));
  }

  missed(at: number): void {
    if (this.#settled.at(-1)?.kind === 'missed') return;
    this.#insert({ kind: 'missed', id: this.#newId(), at });
  }

  came(name: string, at: number): void {
    const { came, went, ...line } = this.#movement(at);
    const back = went.includes(name);
    this.#move({
      ...line,
      came: back ? came : [...came, name],
      went: went.filter((other) => other !== name),
    });
  }

  went(name: string, at: number): void {
    const { came, went, ...line } = this.#movement(at);
    const brief = came.includes(name);
    this.#move({
      ...line,
      came: came.filter((other) => other !== name),
      went: brief ? went : [...went, name],
    });
  }

  /** Shows my message before the server has it. */
  send(user: string, name: string, text: string, key: string, at: number): void {
    const line: Said = { kind: 'said', id: idOf(user, key), key, user, name, text, at, ...UNCHANGED, state: 'sending' };
    this.#pending = [...this.#pending.filter(({ id }) => id !== line.id), line];
  }

  /** The server has it. Its event may be on the way, or be behind us already. */
  confirm(user: string, key: string, { seq, rev, ts }: Ack): void {
    const line = this.#pending.find(({ id }) => id === idOf(user, key));
    if (line === undefined) return;
    this.#put({ ...line, seq, rev, at: ts === undefined ? line.at : Date.parse(ts), state: 'sent' });
  }

  fail(user: string, key: string): void {
    const id = idOf(user, key);
    this.#pending = this.#pending.map((line) => (line.id === id ? { ...line, state: 'failed' } : line));
  }

  #put(line: Said | Announced): void {
    this.#pending = this.#pending.filter(({ id }) => id !== line.id);
    // What comes from the store may have left its key behind, but never its number.
    const known = this.#settled.findLastIndex(
      (other) => other.id === line.id || (line.seq !== undefined && seqOf(other) === line.seq),
    );
    const knownLine = this.#settled[known];
    if (knownLine === undefined) this.#insert(line);
    else if (isNewer(line, knownLine)) this.#settled = this.#settled.with(known, { ...line, id: knownLine.id });
  }

  #lineOf(event: MessageEvent): Said | Announced {
    const { user, name, text, seq, rev, key } = event;
    const at = Date.parse(event.ts);
    const id = this.#idOf(event);
    if (event.kind === 'system') return { kind: 'announced', id, seq, rev, text, at };
    const edited = event.edited !== undefined;
    const deleted = event.deleted !== undefined;
    return { kind: 'said', id, seq, rev, key, user, name, text, at, edited, deleted, state: 'sent' };
  }

  #idOf({ user, key, seq }: MessageEvent): string {
    if (key !== undefined) return idOf(user, key);
    return seq === undefined ? this.#newId() : `seq ${seq}`;
  }

  #newId(): string {
    this.#count += 1;
    return `line ${this.#count}`;
  }

  #insert(line: Line): void {
    const seq = seqOf(line);
    const next = seq === undefined ? -1 : this.#settled.findIndex((other) => (seqOf(other) ?? 0) > seq);
    const lines = next < 0 ? [...this.#settled, line] : this.#settled.toSpliced(next, 0, line);
    this.#settled = lines.slice(-KEPT);
  }

  #movement(at: number): Moved {
    const last = this.#settled.at(-1);
    return last?.kind === 'moved' ? last : { kind: 'moved', id: this.#newId(), at, came: [], went: [] };
  }

  #move(line: Moved): void {
    const others = this.#settled.at(-1)?.id === line.id ? this.#settled.slice(0, -1) : this.#settled;
    const nothingLeft = line.came.length === 0 && line.went.length === 0;
    this.#settled = nothingLeft ? others : [...others, line].slice(-KEPT);
  }
}

function idOf(user: string, key: string): string {
  return `${user} ${key}`;
}

function seqOf(line: Line): number | undefined {
  return 'seq' in line ? line.seq : undefined;
}

function isNewer(line: Said | Announced, known: Line): boolean {
  const knownRev = 'rev' in known ? known.rev : undefined;
  return line.rev !== undefined && (knownRev === undefined || line.rev > knownRev);
}
