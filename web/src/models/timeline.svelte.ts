/**
 * The part of a room's log that the reader has loaded: without gaps, and of limited length, because a page that stays
 * open for a week must not grow for a week. Lines that are dropped at one end can be fetched again; this model does not
 * fetch them. Messages are addressed by the room's `seq` if the server numbers them.
 */
import type { Ack, ChangedEvent, MessageEvent, Unsent } from 'hubbub-client';
import {
  changedLine,
  lineOf,
  quoteOf,
  requoted,
  seqOf,
  unsentId,
  unsentLine,
  type Announced,
  type Line,
  type Moved,
  type Said,
} from './lines';
import type { Person } from './names.svelte';
import type { Me } from './text';

/** The largest number of lines: a browser can lay them out between two frames without a visible delay. */
export const KEPT = 400;

export class Timeline {
  /** The reader looks at older lines: these must stay, so newer ones are dropped. */
  holdsStill = false;
  readonly #me: () => Me;
  #settled = $state.raw<Line[]>([]);
  /** My unconfirmed messages. They are last, because the server's order is not known yet. */
  #unsent = $state.raw<Said[]>([]);
  /** Everything from this `seq` on is here, up to the room's end or, if `isBehind`, up to the last line. */
  #from = $state(1);
  #floor = $state(0);
  #isBehind = $state(false);
  #count = 0;

  readonly lines: readonly Line[] = $derived(this.#isBehind ? this.#settled : [...this.#settled, ...this.#unsent]);

  constructor(me: () => Me) {
    this.#me = me;
  }

  get isEmpty(): boolean {
    return this.lines.length === 0;
  }

  /** There are older lines in the log. */
  get hasOlder(): boolean {
    return this.#from > this.#floor + 1;
  }

  /** The log goes on after the last line here. */
  get isBehind(): boolean {
    return this.#isBehind;
  }

  get from(): number {
    return this.#from;
  }

  /** The `seq` up to which everything is here. */
  get upTo(): number {
    return this.#settled.reduce((last, line) => Math.max(last, seqOf(line) ?? 0), this.#from - 1);
  }

  has(seq: number): boolean {
    return this.idOf(seq) !== undefined;
  }

  idOf(seq: number): string | undefined {
    return this.#settled.find((line) => seqOf(line) === seq)?.id;
  }

  find(seq: number): Said | undefined {
    const line = this.#settled.find((other) => seqOf(other) === seq);
    return line?.kind === 'said' ? line : undefined;
  }

  /** A message came, for the first time or again; the higher `rev` wins. */
  show(event: MessageEvent): void {
    this.#put(this.#lineOf(event));
  }

  change(event: ChangedEvent): void {
    const line = this.find(event.seq);
    if (line !== undefined) this.#put(changedLine(line, event));
  }

  /** Replaces the lines: by those around a place, or by the latest if they reach up to the `head`. */
  startOver(messages: readonly MessageEvent[], head: number, floor = this.#floor): void {
    this.#floor = floor;
    this.#from = messages[0]?.seq ?? head + 1;
    this.#settled = this.#linesOf(messages);
    this.#isBehind = this.upTo < head;
  }

  /** Adds the page before. A page that leaves a gap is outdated. `more` if it is not the first one. */
  prepend(messages: readonly MessageEvent[], more: boolean): void {
    const last = messages.at(-1)?.seq ?? this.#from - 1;
    if (last < this.#from - 1) return;
    const [before, known] = split(messages, this.#from);
    for (const event of known) this.show(event);
    const lines = [...this.#linesOf(before), ...this.#settled];
    this.#from = more ? (before[0]?.seq ?? this.#from) : this.#floor + 1;
    this.#settled = lines.slice(0, KEPT);
    this.#isBehind ||= lines.slice(KEPT).some((line) => seqOf(line) !== undefined);
  }

  /** Adds the page after. A page that leaves a gap is outdated. `more` if it does not reach the end. */
  append(messages: readonly MessageEvent[], more: boolean): void {
    const next = this.upTo + 1;
    if ((messages[0]?.seq ?? next) > next) return;
    const [known, after] = split(messages, next);
    for (const event of known) this.show(event);
    this.#settled = [...this.#settled, ...this.#linesOf(after)];
    this.#isBehind = more;
    this.#dropOldest();
  }

  /** Messages up to `floor` are no longer in the log. */
  trim(floor: number): void {
    if (floor <= this.#floor) return;
    this.#floor = floor;
    this.#from = Math.max(this.#from, floor + 1);
    this.#settled = this.#settled.filter((line) => (seqOf(line) ?? Infinity) > floor);
  }

  missed(at: number): void {
    if (this.#settled.at(-1)?.kind === 'missed') return;
    this.#insert({ kind: 'missed', id: this.#newId(), at });
  }

  came(person: Person, at: number): void {
    const { came, went, ...line } = this.#movement(at);
    const others = without(went, person);
    const isBack = others.length < went.length;
    this.#move({ ...line, came: isBack ? came : [...came, justWho(person)], went: others });
  }

  went(person: Person, at: number): void {
    const { came, went, ...line } = this.#movement(at);
    const others = without(came, person);
    const wasBrief = others.length < came.length;
    this.#move({ ...line, came: others, went: wasBrief ? went : [...went, justWho(person)] });
  }

  /** My message in the outbox: on its way, or refused. */
  send(message: Unsent): void {
    const quoted = message.replyTo === undefined ? undefined : this.find(message.replyTo);
    const line = unsentLine(message, this.#me(), quoted && quoteOf(quoted));
    // It may be in the log already, if this is a repeat.
    if (this.#settled.some(({ id }) => id === line.id)) return;
    const known = this.#unsent.findIndex(({ id }) => id === line.id);
    this.#unsent = known < 0 ? [...this.#unsent, line] : this.#unsent.with(known, line);
  }

  /** The server has stored it. Its event may still come, or have come already. */
  confirm(message: Unsent, { seq, rev, ts }: Ack): void {
    const { id } = unsentLine(message, this.#me());
    const line = this.#unsent.find((other) => other.id === id);
    if (line === undefined) return;
    this.#put({ ...line, seq, rev, at: ts === undefined ? line.at : Date.parse(ts), state: 'sent' });
  }

  discard(id: string): void {
    const others = this.#unsent.filter((line) => line.id !== id);
    if (others.length < this.#unsent.length) this.#unsent = others;
  }

  #lineOf(event: MessageEvent): Said | Announced {
    const line = lineOf(event, this.#me(), () => this.#newId());
    const id = this.#idOnPage(line);
    return id === undefined ? line : { ...line, id };
  }

  /** A message that is here already, sent or unsent, stays the same line. */
  #idOnPage(line: Said | Announced): string | undefined {
    if (line.seq !== undefined) {
      const stored = this.#settled.find((other) => seqOf(other) === line.seq);
      if (stored !== undefined) return stored.id;
    }
    if (line.kind === 'announced' || !line.isMine || line.key === undefined) return undefined;
    const id = unsentId(line.key);
    if (this.#unsent.some((other) => other.id === id)) return id;
    // In a room without numbers, the answer may have come before the message.
    const isAcked = line.seq === undefined && this.#settled.some((other) => other.id === id);
    return isAcked ? id : undefined;
  }

  #linesOf(messages: readonly MessageEvent[]): Line[] {
    return messages.map((event) => {
      const line = this.#lineOf(event);
      this.discard(line.id);
      return line;
    });
  }

  #put(line: Said | Announced): void {
    this.discard(line.id);
    // A message from the store may have no key, but it always has its number.
    const known = this.#settled.findLastIndex(
      (other) => other.id === line.id || (line.seq !== undefined && seqOf(other) === line.seq),
    );
    const knownLine = this.#settled[known];
    if (knownLine !== undefined) {
      if (isAtLeastAsNew(line, knownLine)) this.#settled = this.#settled.with(known, { ...line, id: knownLine.id });
    } else if (this.#takes(line)) {
      this.#insert(line);
    }
    if (line.kind === 'said') this.#requote(line);
  }

  #takes({ seq }: Said | Announced): boolean {
    if (seq === undefined) return !this.#isBehind;
    return seq >= this.#from && (!this.#isBehind || seq <= this.upTo);
  }

  #requote(quoted: Said): void {
    if (quoted.seq === undefined || (!quoted.edited && !quoted.deleted)) return;
    const lines = this.#settled.map((line) =>
      line.kind === 'said' && line.replyTo === quoted.seq ? requoted(line, quoted) : line,
    );
    if (lines.some((line, index) => line !== this.#settled[index])) this.#settled = lines;
  }

  #newId(): string {
    this.#count += 1;
    return `line ${this.#count}`;
  }

  #insert(line: Line): void {
    const seq = seqOf(line);
    const next = seq === undefined ? -1 : this.#settled.findIndex((other) => (seqOf(other) ?? 0) > seq);
    this.#settled = next < 0 ? [...this.#settled, line] : this.#settled.toSpliced(next, 0, line);
    if (this.#settled.length <= KEPT) return;
    if (this.holdsStill && seq !== undefined) {
      this.#settled = this.#settled.slice(0, KEPT);
      this.#isBehind = true;
    } else {
      this.#dropOldest();
    }
  }

  #dropOldest(): void {
    const dropped = this.#settled.slice(0, -KEPT);
    if (dropped.length === 0) return;
    this.#from = dropped.reduce((from, line) => Math.max(from, (seqOf(line) ?? 0) + 1), this.#from);
    this.#settled = this.#settled.slice(-KEPT);
  }

  #movement(at: number): Moved {
    const last = this.#settled.at(-1);
    return last?.kind === 'moved' ? last : { kind: 'moved', id: this.#newId(), at, came: [], went: [] };
  }

  #move(line: Moved): void {
    if (this.#isBehind) return;
    const others = this.#settled.at(-1)?.id === line.id ? this.#settled.slice(0, -1) : this.#settled;
    const nothingLeft = line.came.length === 0 && line.went.length === 0;
    this.#settled = others;
    if (!nothingLeft) this.#insert(line);
  }
}

function justWho({ user, name }: Person): Person {
  return { user, name };
}

function without(people: readonly Person[], { user }: Person): Person[] {
  return people.filter((other) => other.user !== user);
}

function split(messages: readonly MessageEvent[], seq: number): [MessageEvent[], MessageEvent[]] {
  const isBefore = (message: MessageEvent) => (message.seq ?? 0) < seq;
  return [messages.filter(isBefore), messages.filter((message) => !isBefore(message))];
}

/** A row with the same `rev` is the same row, and complete where mine was made from an ack. */
function isAtLeastAsNew(line: Said | Announced, known: Line): boolean {
  const knownRev = 'rev' in known ? known.rev : undefined;
  return line.rev !== undefined && (knownRev === undefined || line.rev >= knownRev);
}
