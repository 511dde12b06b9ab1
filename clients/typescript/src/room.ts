/** One room as its events describe it: its messages, and who is there. It knows no connection and no other rooms. */
import { fold } from './keys.js';
import { type Me, RoomMembers } from './members.js';
import type { ChangedEvent, Event, HistoryPage, Joined, MessageEvent, OnlineUser, Removed } from './protocol.js';

/** The largest number of messages that a view keeps, unless it is told otherwise. */
const KEPT = 1_000;

type Numbered = MessageEvent & { seq: number };

/**
 * A room's messages in their current state, fed with the events that `Client` passes on, in that order. It keeps the
 * latest messages, and the older ones that `page` adds: none is missing between them.
 */
export class RoomView {
  readonly key: string;
  /** What is said about the room, and who is what in it. */
  readonly members: RoomMembers;
  /** Why this client was taken out of the room; undefined while it is there. */
  removed: Removed['reason'] | undefined;
  online = 0;
  /** The number of the latest message. */
  seq = 0;
  /** Messages up to this `seq` are no longer stored. */
  floor = 0;
  readonly #rows = new Map<number, Numbered>();
  /** In a room that stores nothing, messages have no numbers. */
  #unnumbered: MessageEvent[] = [];
  /** By folded key. */
  readonly #people = new Map<string, OnlineUser>();
  /** The `seq` of the first message that is kept; `seq` + 1 if there is none. */
  #first = 1;
  #kept: number;
  #name: string;

  /** `me` says who the client's user is: `() => client.me`. Without it, `members.role` changes at the next join only. */
  constructor(key: string, kept = KEPT, me?: () => Me | null) {
    this.key = key;
    this.#name = key;
    this.#kept = kept;
    this.members = new RoomMembers(me);
  }

  /** The title, if there is one. */
  get name(): string {
    return this.members.title ?? this.#name;
  }

  /** By `seq`. A deleted message is one with `deleted` and without text. */
  get messages(): readonly MessageEvent[] {
    if (this.#rows.size === 0) return this.#unnumbered;
    return [...this.#rows.values()].sort((a, b) => a.seq - b.seq);
  }

  /** Those of the people online whom the server has named, in the order in which they came. */
  get people(): readonly OnlineUser[] {
    return [...this.#people.values()];
  }

  /** The room has messages before the first one here: `page(await client.history(key, { before: view.first }))`. */
  get hasEarlier(): boolean {
    return this.#first > this.floor + 1;
  }

  get first(): number {
    return this.#first;
  }

  message(seq: number): MessageEvent | undefined {
    return this.#rows.get(seq);
  }

  /** Returns false if the event is about something else, or changes nothing. */
  apply(event: Event): boolean {
    if (!('room' in event) || event.room === undefined || fold(event.room) !== fold(this.key)) return false;
    switch (event.type) {
      case 'joined':
        this.#joined(event);
        return true;
      case 'sync':
        this.members.caughtUp(event);
        this.#raiseFloor(event.floor);
        this.#put(event.messages);
        return true;
      case 'message':
        this.#put([event]);
        return true;
      case 'changed':
        return this.#change(event);
      case 'room':
        this.members.changed(event);
        this.#raiseFloor(event.floor ?? 0);
        return true;
      case 'removed':
        this.removed = event.reason;
        return true;
      case 'join':
        return this.#came(personOf(event), event.online);
      case 'leave':
        return this.#went(event.user, event.online);
      case 'online':
        this.online = event.online;
        return true;
      default:
        return false;
    }
  }

  /** Adds the part of a page of history that is adjacent to the messages here. */
  page({ messages }: HistoryPage): void {
    // Messages after the latest one here will come as events.
    const rows = messages.filter(isNumbered).filter(({ seq }) => seq > this.floor && seq <= this.seq);
    const seqs = rows.map(({ seq }) => seq);
    if (seqs.length === 0 || Math.min(...seqs) > this.#first || Math.max(...seqs) < this.#first - 1) return;
    this.#first = Math.min(this.#first, ...seqs);
    this.#kept = Math.max(this.#kept, this.seq - this.#first + 1);
    this.#put(rows);
  }

  #joined(event: Joined): void {
    const messages = event.messages ?? [];
    if (event.recovered) {
      this.#raiseFloor(event.floor ?? 0);
    } else {
      this.#rows.clear();
      this.#unnumbered = [];
      this.seq = event.seq ?? 0;
      this.floor = event.floor ?? 0;
      this.#first = Math.min(this.seq + 1, ...messages.filter(isNumbered).map(({ seq }) => seq));
    }
    this.#put(messages);
    this.removed = undefined;
    this.members.joined(event);
    this.#name = event.title ? event.room : event.name;
    this.online = event.online;
    this.#people.clear();
    for (const person of event.users) this.#people.set(fold(person.user), person);
  }

  #put(rows: readonly MessageEvent[]): void {
    for (const row of rows) {
      if (!isNumbered(row)) {
        this.#unnumbered = [...this.#unnumbered, row].slice(-this.#kept);
        continue;
      }
      // Between an older message and the first one here there would be a gap. `page` gives it, with this change.
      if (row.seq < this.#first) continue;
      const known = this.#rows.get(row.seq);
      if (known === undefined || (known.rev ?? 0) < (row.rev ?? 0)) this.#rows.set(row.seq, row);
      this.seq = Math.max(this.seq, row.seq);
    }
    this.#forgetBefore(this.seq - this.#kept + 1);
  }

  #change(event: ChangedEvent): boolean {
    const known = this.#rows.get(event.seq);
    if (known === undefined || (known.rev ?? 0) >= event.rev) return false;
    this.#rows.set(event.seq, changed(known, event));
    return true;
  }

  /** The list may contain this already: see "An event that `joined` already contains" in docs/protocol.md. */
  #came(person: OnlineUser, online: number): boolean {
    const isNew = !this.#people.has(fold(person.user)) || this.online !== online;
    this.#people.set(fold(person.user), person);
    this.online = online;
    return isNew;
  }

  #went(user: string, online: number): boolean {
    const wasHere = this.#people.delete(fold(user)) || this.online !== online;
    this.online = online;
    return wasHere;
  }

  #raiseFloor(floor: number): void {
    this.floor = Math.max(this.floor, floor);
    this.seq = Math.max(this.seq, this.floor);
    this.#forgetBefore(this.floor + 1);
  }

  #forgetBefore(first: number): void {
    for (; this.#first < first; this.#first += 1) this.#rows.delete(this.#first);
  }
}

function personOf({ user, name, guest, color }: OnlineUser): OnlineUser {
  return { user, name, guest, color };
}

function isNumbered(row: MessageEvent): row is Numbered {
  return row.seq !== undefined;
}

function changed(row: Numbered, { rev, text, edited, deleted, pinned, reactions }: ChangedEvent): Numbered {
  const { type, room, seq, user, name, kind, ts } = row;
  if (deleted !== undefined) return { type, room, seq, rev, user, name, kind, text: '', ts, deleted };
  const next: Numbered = { ...row, rev };
  if (text !== undefined) next.text = text;
  if (edited !== undefined) next.edited = edited;
  if (reactions !== undefined) next.reactions = reactions.length > 0 ? reactions : undefined;
  if (pinned !== undefined) next.pinned = pinned || undefined;
  return next;
}
