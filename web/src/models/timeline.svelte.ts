/**
 * The part of a room's log that the reader has loaded: without gaps, and of limited length, because a page that stays
 * open for a week must not grow for a week. Lines that are dropped at one end can be fetched again; this model does not
 * fetch them. Messages that the server numbers are in `Messages`; here are their numbers.
 */
import type { Ack, MessageEvent, Unsent } from 'hubbub-client';
import { lineOf, quoteOf, unsentId, unsentLine, type Announced, type Line, type Moved, type Said } from './lines';
import type { Logged, Messages } from './messages.svelte';
import type { Person } from './names.svelte';
import type { Me } from './text';

/** The largest number of lines: a browser can lay them out between two frames without a visible delay. */
export const KEPT = 400;

/** The number of a message in the log, or a line that has none. */
type Place = number | Line;

export class Timeline {
  /** The reader looks at older lines: these must stay, so newer ones are dropped. */
  holdsStill = false;
  readonly #messages: Messages;
  readonly #me: () => Me;
  #settled = $state.raw<Place[]>([]);
  /** My unconfirmed messages. They are last, because the server's order is not known yet. */
  #unsent = $state.raw<Said[]>([]);
  /** Everything from this `seq` on is here, up to the room's end or, if `isBehind`, up to the last line. */
  #from = $state(1);
  #floor = $state(0);
  #isBehind = $state(false);
  #count = 0;

  readonly lines: readonly Line[] = $derived.by(() => {
    const settled = this.#settled.flatMap((place) => this.#lineAt(place) ?? []);
    return this.#isBehind ? settled : [...settled, ...this.#unsent];
  });

  constructor(messages: Messages, me: () => Me) {
    this.#messages = messages;
    this.#me = me;
    messages.heldBy(() => this.#numbers());
  }

  get isEmpty(): boolean {
    return this.lines.length === 0;
  }

  /** The last line is my own, which the log does not have yet. */
  get endsUnsent(): boolean {
    return !this.#isBehind && this.#unsent.length > 0;
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
    return Math.max(this.#settled.findLast(isNumber) ?? 0, this.#from - 1);
  }

  has(seq: number): boolean {
    return this.#settled.includes(seq);
  }

  /** The messages here that the log has numbered. */
  get logged(): Logged[] {
    return this.#settled.filter(isNumber).flatMap((seq) => this.#messages.get(seq) ?? []);
  }

  idOf(seq: number): string | undefined {
    return this.has(seq) ? this.#messages.get(seq)?.id : undefined;
  }

  /** A message came, for the first time or again; the higher `rev` wins. */
  show(event: MessageEvent): void {
    this.#put(this.#lineOf(event));
  }

  /** What was here at an earlier visit, until the log begins again. */
  restore(lines: readonly Logged[]): void {
    if (lines.length === 0 || this.#settled.length > 0) return;
    this.#from = lines[0]?.seq ?? this.#from;
    this.#settled = lines.map((line) => this.#store(line));
  }

  /** The room's log begins again, with its latest messages. */
  startOver(messages: readonly MessageEvent[], head: number, floor = this.#floor): void {
    this.#floor = floor;
    this.#messages.startOver(new Set(messages.map(({ seq }) => seq)));
    this.lookAt(messages, head);
  }

  /** Looks at another part of the log, or at the latest if they reach up to the `head`. */
  lookAt(messages: readonly MessageEvent[], head: number): void {
    this.#from = messages[0]?.seq ?? head + 1;
    this.#settled = this.#placesOf(messages);
    this.#isBehind = this.upTo < head;
    this.#messages.sweep();
  }

  /** Adds the page before. A page that leaves a gap is outdated. `more` if it is not the first one. */
  prepend(messages: readonly MessageEvent[], more: boolean): void {
    const last = messages.at(-1)?.seq ?? this.#from - 1;
    if (last < this.#from - 1) return;
    const [before, known] = split(messages, this.#from);
    for (const event of known) this.show(event);
    const places = [...this.#placesOf(before), ...this.#settled];
    this.#from = more ? (before[0]?.seq ?? this.#from) : this.#floor + 1;
    this.#settled = places.slice(0, KEPT);
    this.#isBehind ||= places.slice(KEPT).some(isNumber);
    this.#messages.sweep();
  }

  /** Adds the page after. A page that leaves a gap is outdated. `more` if it does not reach the end. */
  append(messages: readonly MessageEvent[], more: boolean): void {
    const next = this.upTo + 1;
    if ((messages[0]?.seq ?? next) > next) return;
    const [known, after] = split(messages, next);
    for (const event of known) this.show(event);
    this.#settled = [...this.#settled, ...this.#placesOf(after)];
    this.#isBehind = more;
    this.#dropOldest();
  }

  /** Messages up to `floor` are no longer in the log. */
  trim(floor: number): void {
    if (floor <= this.#floor) return;
    this.#floor = floor;
    this.#from = Math.max(this.#from, floor + 1);
    this.#settled = this.#settled.filter((place) => !isNumber(place) || place > floor);
  }

  missed(at: number): void {
    if (this.#lastLine?.kind === 'missed') return;
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
    const quoted = message.replyTo === undefined ? undefined : this.#messages.said(message.replyTo);
    const line = unsentLine(message, this.#me(), quoted && quoteOf(quoted));
    // It may be in the log already, if this is a repeat.
    if (this.#settled.some((place) => this.#lineAt(place)?.id === line.id)) return;
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
    const known = line.seq === undefined ? undefined : this.#messages.get(line.seq)?.id;
    if (known !== undefined) return known;
    if (line.kind === 'announced' || !line.isMine || line.key === undefined) return undefined;
    const id = unsentId(line.key);
    if (this.#unsent.some((other) => other.id === id)) return id;
    // In a room without numbers, the answer may have come before the message.
    const isAcked = line.seq === undefined && this.#settled.some((place) => this.#lineAt(place)?.id === id);
    return isAcked ? id : undefined;
  }

  #lineAt(place: Place): Line | undefined {
    return isNumber(place) ? this.#messages.get(place) : place;
  }

  get #lastLine(): Line | undefined {
    const last = this.#settled.at(-1);
    return last === undefined ? undefined : this.#lineAt(last);
  }

  /** The messages that the lines show, and those that they quote. */
  *#numbers(): Generator<number> {
    for (const place of this.#settled) {
      if (!isNumber(place)) continue;
      yield place;
      const quoted = this.#messages.said(place)?.replyTo;
      if (quoted !== undefined) yield quoted;
    }
  }

  #placesOf(messages: readonly MessageEvent[]): Place[] {
    return messages.map((event) => this.#store(this.#lineOf(event)));
  }

  #store(line: Said | Announced): Place {
    this.discard(line.id);
    if (line.kind === 'said' && line.isMine && line.key !== undefined) this.discard(unsentId(line.key));
    const { seq } = line;
    if (seq === undefined) return line;
    this.#messages.put({ ...line, seq });
    return seq;
  }

  #put(line: Said | Announced): void {
    const isKnown = line.seq === undefined ? this.#isHere(line.id) : this.has(line.seq);
    const isTaken = isKnown || this.#takes(line);
    if (isTaken || (line.seq !== undefined && this.#messages.has(line.seq))) {
      const place = this.#store(line);
      if (!isKnown && isTaken) this.#insert(place);
    } else {
      this.discard(line.id);
    }
  }

  #isHere(id: string): boolean {
    return this.#settled.some((place) => !isNumber(place) && place.id === id);
  }

  #takes({ seq }: Said | Announced): boolean {
    if (seq === undefined) return !this.#isBehind;
    return seq >= this.#from && (!this.#isBehind || seq <= this.upTo);
  }

  #newId(): string {
    this.#count += 1;
    return `line ${this.#count}`;
  }

  #insert(place: Place): void {
    const next = isNumber(place) ? this.#settled.findIndex((other) => isNumber(other) && other > place) : -1;
    this.#settled = next < 0 ? [...this.#settled, place] : this.#settled.toSpliced(next, 0, place);
    if (this.#settled.length <= KEPT) return;
    if (this.holdsStill && isNumber(place)) {
      this.#settled = this.#settled.slice(0, KEPT);
      this.#isBehind = true;
    } else {
      this.#dropOldest();
    }
  }

  #dropOldest(): void {
    const dropped = this.#settled.slice(0, -KEPT);
    if (dropped.length === 0) return;
    this.#from = Math.max(this.#from, (dropped.findLast(isNumber) ?? 0) + 1);
    this.#settled = this.#settled.slice(-KEPT);
    this.#messages.sweep();
  }

  #movement(at: number): Moved {
    const last = this.#lastLine;
    return last?.kind === 'moved' ? last : { kind: 'moved', id: this.#newId(), at, came: [], went: [] };
  }

  #move(line: Moved): void {
    if (this.#isBehind) return;
    const others = this.#lastLine?.id === line.id ? this.#settled.slice(0, -1) : this.#settled;
    const nothingLeft = line.came.length === 0 && line.went.length === 0;
    this.#settled = others;
    if (!nothingLeft) this.#insert(line);
  }
}

function isNumber(place: Place): place is number {
  return typeof place === 'number';
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
