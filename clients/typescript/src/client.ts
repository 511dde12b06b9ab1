/**
 * The client side of the protocol: keeps rooms joined across reconnects, keeps each room's events in
 * order without gaps or duplicates, and sends each message until it is stored. It knows no DOM.
 */
import { type Clock, Connection, type ConnectionOptions, type Network, type State } from './connection.js';
import { fold, newKey } from './keys.js';
import { type ListQuery, Lists } from './lists.js';
import { forgetful, Outbox, type OutboxOptions, type OutboxStore, type Unsent } from './outbox.js';
import { clock, network } from './platform.js';
import { Position, type Verdict } from './position.js';
import type { Ack, Command, ErrorEvent, Event, HistoryPage, Joined, RoomPosition, Sync } from './protocol.js';
import type { OnlinePage, RoomsPage } from './protocol.js';
import { type Answer, CommandRefused, mayRetry, Requests } from './requests.js';
import { Sender } from './sender.js';

export interface ClientOptions extends Pick<ConnectionOptions, 'secret' | 'codec' | 'backoff'> {
  /** Of the socket. A function is called at each attempt, because credentials may have changed. */
  address: string | (() => string);
  /** By default those of the browser or of Node.js. */
  network?: Network;
  clock?: Clock;
  onState?: (state: State) => void;
  /** Events to apply, in each room's order, without answers to commands. */
  onEvent: (event: Event) => void;
  /** Stores unsent messages when the page closes; by default they are lost. */
  outbox?: OutboxStore;
  onSent?: OutboxOptions['onSent'];
  onFailed?: OutboxOptions['onFailed'];
}

/** Before, after or around a `seq`, or the pinned ones; without any of them, the latest. */
export interface Place {
  before?: number;
  after?: number;
  around?: number;
  pinned?: true;
  limit?: number;
}

/** The protocol's limit of rooms in one `join`. */
const ROOMS_PER_JOIN = 100;
/** Milliseconds before a join that failed for a temporary reason is tried again, unless the server says when. */
const REJOIN_AFTER = 2_000;
/** The longest time that a call waits because the server says "too fast", in milliseconds. */
const PATIENCE = 10_000;

/** A `join` without all of its answers. */
interface PendingJoin {
  /** Folded keys: a second `join` of these rooms would only repeat the same rows. */
  rooms: Set<string>;
  answersLeft: number;
}

export class Client {
  readonly connection: Connection;
  /** Messages go through here; all other commands are answered or fail at once. */
  readonly outbox: Outbox;
  readonly #options: Pick<ClientOptions, 'onState' | 'onEvent'>;
  readonly #clock: Clock;
  readonly #sender: Sender;
  readonly #requests: Requests;
  readonly #lists: Lists;
  /** The position of each room that should be joined, by its folded key. */
  readonly #positions = new Map<string, Position>();
  /** By the command's id. */
  readonly #joins = new Map<string, PendingJoin>();
  #lastJoin = 0;

  constructor(given: ClientOptions) {
    const { address } = given;
    const options = {
      ...given,
      address: typeof address === 'string' ? () => address : address,
      network: given.network ?? network,
      clock: given.clock ?? clock,
    };
    this.#options = options;
    this.#clock = options.clock;
    this.#sender = new Sender(options.clock, (command) => this.connection.send(command));
    this.#requests = new Requests((command) => this.#sender.send(command));
    this.#lists = new Lists(options);
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
    this.outbox.close(room);
    this.#sendJoin([room]);
  }

  leave(room: string): void {
    this.outbox.close(room);
    this.#isAnswered(room);
    if (!this.#positions.delete(fold(room))) return;
    // Without a connection there is nothing to leave, and neither is there in a room that is not joined.
    this.#insist(() => this.#requests.ask({ type: 'leave', room }, 'ack')).catch(() => {});
  }

  /** Says something: now, or as soon as the room is joined. Undefined if too many messages wait for this room. */
  send(room: string, text: string, replyTo?: number): Unsent | undefined {
    return this.outbox.add({ room, text, key: newKey(this.#clock.now()), replyTo });
  }

  /** Whether the room is joined, or will be as soon as possible. False after a permanent refusal. */
  follows(room: string): boolean {
    return this.#positions.has(fold(room));
  }

  // These reject with CommandRefused or ConnectionLost. While the server says "too fast", they wait and repeat.

  /** A page of the room's log. Its rows may be newer than events that are still to come: the higher `rev` wins. */
  history(room: string, place: Place): Promise<HistoryPage> {
    return this.#insist(() => this.#requests.ask({ type: 'history', room, ...place }, 'history'));
  }

  edit(room: string, seq: number, text: string): Promise<Ack> {
    return this.#insist(() => this.#requests.ask({ type: 'edit', room, seq, text }, 'ack'));
  }

  delete(room: string, seq: number): Promise<Ack> {
    return this.#insist(() => this.#requests.ask({ type: 'delete', room, seq }, 'ack'));
  }

  react(room: string, seq: number, emoji: string, on: boolean): Promise<Ack> {
    return this.#insist(() => this.#requests.ask({ type: 'react', room, seq, emoji, on }, 'ack'));
  }

  pin(room: string, seq: number, on: boolean): Promise<Ack> {
    return this.#insist(() => this.#requests.ask({ type: 'pin', room, seq, on }, 'ack'));
  }

  // These are plain requests, which need no connection. They reject with CommandRefused, also for "too fast", or with
  // ConnectionLost.

  /** Rooms that one may join, by their keys, with how many are online. */
  rooms(query: ListQuery = {}): Promise<RoomsPage> {
    return this.#lists.rooms(query);
  }

  /** Users who are online in a room, by their names. */
  online(room: string, query: ListQuery = {}): Promise<OnlinePage> {
    return this.#lists.online(room, query);
  }

  /** Returns false, and sends nothing, without a connection, or when it would exceed the server's limits. */
  typing(room: string, active: boolean): boolean {
    return this.#sender.sendNow({ type: 'typing', room, active });
  }

  /** The command names the wanted state, so a repeat changes nothing. */
  async #insist<Kind extends Answer>(ask: () => Promise<Kind>): Promise<Kind> {
    const clock = this.#clock;
    const until = clock.now() + PATIENCE;
    for (;;) {
      try {
        return await ask();
      } catch (error) {
        if (!(error instanceof CommandRefused) || error.failure.code !== 'rate_limited') throw error;
        const wait = error.retryAfter ?? REJOIN_AFTER;
        if (clock.now() + wait > until) throw error;
        await new Promise<void>((resolve) => clock.after(wait, resolve));
      }
    }
  }

  #sendJoin(rooms: string[]): void {
    const missing = rooms.filter((room) => this.follows(room) && !this.#isBeingJoined(room));
    for (let start = 0; start < missing.length; start += ROOMS_PER_JOIN) {
      const asked = missing.slice(start, start + ROOMS_PER_JOIN);
      this.#lastJoin += 1;
      const id = `join-${this.#lastJoin}`;
      this.#joins.set(id, { rooms: new Set(asked.map(fold)), answersLeft: asked.length });
      const command: Command = { type: 'join', id, rooms: asked.map((room) => this.#whereIs(room)) };
      if (!this.#sender.send(command)) this.#joins.delete(id);
    }
  }

  #isBeingJoined(room: string): boolean {
    return [...this.#joins.values()].some(({ rooms }) => rooms.has(fold(room)));
  }

  /** Stop waiting for a room. If the id is that of a `join`, count one more answer to it. */
  #isAnswered(room: string, id?: string): void {
    for (const { rooms } of this.#joins.values()) rooms.delete(fold(room));
    const join = id === undefined ? undefined : this.#joins.get(id);
    if (id === undefined || join === undefined) return;
    join.answersLeft -= 1;
    if (join.answersLeft === 0) this.#joinEnded(id);
  }

  #joinEnded(id: string): void {
    this.#joins.delete(id);
    this.#sender.answered(id);
  }

  #whereIs(room: string): RoomPosition {
    const position = this.#positions.get(fold(room));
    return position?.rev === undefined ? { room } : { room, rev: position.rev, epoch: position.epoch };
  }

  #changeState(state: State): void {
    if (state.name !== 'live') {
      this.#sender.end();
      this.#joins.clear();
      this.outbox.closeAll();
      this.#requests.lose();
    }
    this.#options.onState?.(state);
  }

  #receive(event: Event): void {
    switch (event.type) {
      case 'welcome':
        this.#sender.begin(event.limits);
        this.#options.onEvent(event);
        this.#sendJoin([...this.#positions.keys()]);
        return;
      case 'joined':
        this.#isAnswered(event.room, event.id);
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
        this.#settle(event);
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

  /** Returns false if nobody waits for this answer. */
  #settle(event: Answer | ErrorEvent): boolean {
    if (event.id !== undefined) this.#sender.answered(event.id);
    return this.#requests.settle(event);
  }

  #refuse(event: ErrorEvent): void {
    if (event.code === 'rate_limited') this.#sender.tooFast(event.retry_after);
    const join = event.id === undefined ? undefined : this.#joins.get(event.id);
    if (event.id !== undefined && join !== undefined) {
      const rooms = event.room === undefined ? [...join.rooms] : [event.room];
      if (event.room === undefined) this.#joinEnded(event.id);
      else this.#isAnswered(event.room, event.id);
      this.#notJoined(rooms, event);
    } else if (!this.#settle(event) && !(event.command === 'typing' && event.code === 'rate_limited')) {
      this.#options.onEvent(event);
    }
  }

  #notJoined(rooms: string[], event: ErrorEvent): void {
    const { code, message, retry_after } = event;
    if (mayRetry(code)) {
      this.#clock.after(retry_after ?? REJOIN_AFTER, () => this.#sendJoin(rooms));
      if (code !== 'rate_limited') this.#options.onEvent(event);
      return;
    }
    for (const room of rooms) {
      if (!this.#positions.delete(fold(room))) continue;
      this.outbox.refuse(room, { code, message });
      this.#options.onEvent({ ...event, room });
    }
  }
}
