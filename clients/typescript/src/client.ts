/**
 * The protocol's client side: keeps rooms joined across reconnects, keeps each room's events in
 * order without gaps or doubles, and sends what was said until it is stored. It knows no DOM.
 */
import { Connection, type ConnectionOptions, type State } from './connection.js';
import { fold } from './keys.js';
import { forgetful, Outbox, type OutboxOptions, type OutboxStore } from './outbox.js';
import { Position, type Verdict } from './position.js';
import type { Ack, ErrorEvent, Event, HistoryPage, Joined, RoomPosition, Sync } from './protocol.js';
import { Requests } from './requests.js';

export interface ClientOptions extends Pick<ConnectionOptions, 'address' | 'network' | 'clock' | 'backoff'> {
  onState: (state: State) => void;
  /** Events to apply, in each room's order. Answers to commands are not among them. */
  onEvent: (event: Event) => void;
  /** Where unsent messages outlive the page; by default they don't. */
  outbox?: OutboxStore;
  onSent?: OutboxOptions['onSent'];
  onFailed?: OutboxOptions['onFailed'];
}

/** Before, after or around a `seq`, or those that are pinned; with none of them, the latest. */
export interface Place {
  before?: number;
  after?: number;
  around?: number;
  pinned?: true;
  limit?: number;
}

/** The server refuses a join with these for as long as nothing about the room or user changes. */
const HOPELESS = new Set(['invalid', 'forbidden', 'not_found']);
/** Milliseconds until a join is tried again that failed for a passing reason, unless the server says when. */
const REJOIN_AFTER = 2_000;

export class Client {
  readonly connection: Connection;
  /** What is said goes through here; all other commands are answered or fail at once. */
  readonly outbox: Outbox;
  readonly #options: ClientOptions;
  readonly #requests: Requests;
  /** Of each room that should be joined, by its folded key. */
  readonly #positions = new Map<string, Position>();
  /** Rooms with an unanswered `join`: a second one would only bring the same rows again. */
  readonly #joining = new Set<string>();

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#requests = new Requests((command) => this.connection.send(command));
    this.outbox = new Outbox({
      store: options.outbox ?? forgetful,
      clock: options.clock,
      send: ({ room, text, key, replyTo }) =>
        this.#requests.ask({ type: 'message', room, text, key, reply_to: replyTo }, 'ack'),
      onSent: options.onSent ?? (() => {}),
      onFailed: options.onFailed ?? (() => {}),
    });
    this.connection = new Connection({
      ...options,
      onState: (state) => this.#changeState(state),
      onEvent: (event) => this.#receive(event),
    });
  }

  /** Joins now or as soon as there is a connection, and again after each reconnect. */
  join(room: string): void {
    if (this.#positions.has(fold(room))) return;
    this.#positions.set(fold(room), new Position());
    this.#sendJoin([room]);
  }

  leave(room: string): void {
    this.outbox.close(room);
    this.#joining.delete(fold(room));
    if (this.#positions.delete(fold(room))) this.connection.send({ type: 'leave', room });
  }

  // These reject with CommandRefused or ConnectionLost.

  /** A page of the room's log. Its rows may be newer than events that have not come yet: the higher `rev` wins. */
  history(room: string, place: Place): Promise<HistoryPage> {
    return this.#requests.ask({ type: 'history', room, ...place }, 'history');
  }

  edit(room: string, seq: number, text: string): Promise<Ack> {
    return this.#requests.ask({ type: 'edit', room, seq, text }, 'ack');
  }

  delete(room: string, seq: number): Promise<Ack> {
    return this.#requests.ask({ type: 'delete', room, seq }, 'ack');
  }

  react(room: string, seq: number, emoji: string, on: boolean): Promise<Ack> {
    return this.#requests.ask({ type: 'react', room, seq, emoji, on }, 'ack');
  }

  pin(room: string, seq: number, on: boolean): Promise<Ack> {
    return this.#requests.ask({ type: 'pin', room, seq, on }, 'ack');
  }

  /** False, and nothing said, while there is no connection. */
  typing(room: string, active: boolean): boolean {
    return this.connection.send({ type: 'typing', room, active });
  }

  #sendJoin(rooms: string[]): void {
    const waiting = rooms.filter((room) => !this.#joining.has(fold(room)));
    if (waiting.length === 0) return;
    const isSent = this.connection.send({ type: 'join', rooms: waiting.map((room) => this.#whereIs(room)) });
    if (isSent) for (const room of waiting) this.#joining.add(fold(room));
  }

  #whereIs(room: string): RoomPosition {
    const position = this.#positions.get(fold(room));
    return position?.rev === undefined ? { room } : { room, rev: position.rev, epoch: position.epoch };
  }

  #changeState(state: State): void {
    if (state.name !== 'live') {
      this.#joining.clear();
      this.outbox.closeAll();
      this.#requests.lose();
    }
    this.#options.onState(state);
  }

  #receive(event: Event): void {
    switch (event.type) {
      case 'welcome':
        this.#options.onEvent(event);
        this.#sendJoin([...this.#positions.keys()]);
        return;
      case 'joined':
        this.#joining.delete(fold(event.room));
        if (this.#joined(event)) this.#options.onEvent(event);
        if (this.#positions.has(fold(event.room))) this.outbox.open(event.room);
        return;
      case 'sync':
        if (this.#caughtUp(event)) this.#options.onEvent(event);
        return;
      case 'message':
      case 'changed':
      case 'room':
        if (this.#follows(event.room, event.rev)) this.#options.onEvent(event);
        return;
      case 'ack':
      case 'history':
        this.#requests.settle(event);
        return;
      case 'error':
        this.#refuse(event);
        return;
      default:
        this.#options.onEvent(event);
    }
  }

  #joined(event: Joined): boolean {
    if (event.recovered) return this.#caughtUp(event);
    const position = this.#positions.get(fold(event.room));
    position?.startOver(event.rev, event.epoch);
    return position !== undefined;
  }

  #caughtUp(event: Joined | Sync): boolean {
    const epoch = event.type === 'joined' ? event.epoch : undefined;
    return this.#judge(event.room, (position) => position.catchUp(event.since, event.rev, epoch));
  }

  #follows(room: string, rev: number | undefined): boolean {
    return this.#judge(room, (position) => position.see(rev));
  }

  #judge(room: string, judge: (position: Position) => Verdict): boolean {
    const position = this.#positions.get(fold(room));
    if (position === undefined) return false;
    const verdict = judge(position);
    if (verdict === 'gap') this.#sendJoin([room]);
    return verdict === 'apply';
  }

  #refuse(event: ErrorEvent): void {
    if (this.#requests.settle(event)) return;
    if (event.command === 'join' && event.room !== undefined) this.#notJoined(event.room, event);
    this.#options.onEvent(event);
  }

  #notJoined(room: string, { code, retry_after }: ErrorEvent): void {
    this.#joining.delete(fold(room));
    if (HOPELESS.has(code)) this.#positions.delete(fold(room));
    else this.#options.clock.after(retry_after ?? REJOIN_AFTER, () => this.#joinAgain(room));
  }

  #joinAgain(room: string): void {
    if (this.#positions.has(fold(room))) this.#sendJoin([room]);
  }
}
