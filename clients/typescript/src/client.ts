/**
 * The client side of the protocol: keeps rooms joined across reconnects, keeps each room's events in
 * order without gaps or duplicates, and sends each message until it is stored. It knows no DOM.
 */
import { type Clock, Connection, type ConnectionOptions, type Failure } from './connection.js';
import type { Network, State } from './connection.js';
import { askToken } from './credentials.js';
import { fold, newKey } from './keys.js';
import { type ListQuery, Lists } from './lists.js';
import { forgetful, Outbox, type OutboxOptions, type OutboxStore, type Unsent } from './outbox.js';
import { clock, network } from './platform.js';
import { Position, type Verdict } from './position.js';
import type { Ack, Command, ErrorEvent, Event, HistoryPage, Joined, RoomPosition, Sync } from './protocol.js';
import type { ChangeRoom, Create, MembersPage, OnlinePage, RoomsPage, SetRole, Welcome } from './protocol.js';
import { Renewal } from './renewal.js';
import { CommandRefused, ConnectionLost, mayRetry, Requests } from './requests.js';
import { Sender } from './sender.js';

export interface ClientOptions extends Pick<ConnectionOptions, 'codec' | 'backoff'> {
  /** Of the server's `/ws`. This and the credentials may be functions, which are called at each attempt. */
  address: string | (() => string);
  /** A function is asked at each attempt, and before the token expires: then the connection goes on with a newer one. */
  token?: string | (() => string | null | Promise<string | null>);
  /** Proves that this is the guest of an earlier client. By default a guest's client keeps the secret that it gets. */
  secret?: string | (() => string | null);
  /** By default those of the browser or of Node.js. */
  network?: Network;
  clock?: Clock;
  onState?: (state: State) => void;
  /** Events to apply, in each room's order, without answers to commands. */
  onEvent?: (event: Event) => void;
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

/** A room to make. With a `key`, a repeat after ConnectionLost finds the room of the first time. */
export type NewRoom = Omit<Create, 'type' | 'id'>;

/** What is said about a room. An empty text removes a title or a description. */
export type RoomChange = Omit<ChangeRoom, 'type' | 'id' | 'room'>;

/** For how long; for ever without a time. `on: false` takes it back. */
export interface Until {
  until?: Date | string;
  on?: boolean;
}

/** What a message may have besides its text. */
export type Extras = Pick<Unsent, 'replyTo' | 'data'>;

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

interface Waiter<Value> {
  resolve: (value: Value) => void;
  reject: (error: Error) => void;
}

/** A failure is no error of the program if nobody waits for it. */
function ignorable<Value>(promise: Promise<Value>): Promise<Value> {
  promise.catch(() => {});
  return promise;
}

export class Client {
  readonly connection: Connection;
  /** Messages go through here; all other commands are answered or fail at once. */
  readonly outbox: Outbox;
  readonly #options: Pick<ClientOptions, 'onState' | 'onEvent'>;
  readonly #network: Network;
  readonly #clock: Clock;
  readonly #sender: Sender;
  readonly #requests: Requests;
  readonly #lists: Lists;
  readonly #renewal: Renewal | undefined;
  /** The position of each room that should be joined, by its folded key. */
  readonly #positions = new Map<string, Position>();
  /** By the command's id. */
  readonly #joins = new Map<string, PendingJoin>();
  readonly #topics = new Set<string>();
  /** Who waits for the connection, and by a message's key who waits until it is stored. */
  #opening: Waiter<void>[] = [];
  readonly #sending = new Map<string, Waiter<Ack>>();
  #lastJoin = 0;
  #me: Welcome | null = null;
  #secret: string | null;
  #stopWatching: (() => void) | undefined;

  constructor(given: ClientOptions) {
    const { address, secret } = given;
    if (typeof address === 'string' && !/^wss?:/.test(address)) {
      throw new Error(`An address begins with ws:// or wss://, unlike ${JSON.stringify(address)}.`);
    }
    this.#secret = typeof secret === 'string' ? secret : null;
    const options = {
      ...given,
      address: typeof address === 'string' ? () => address : address,
      secret: typeof secret === 'function' ? secret : () => this.#secret,
      network: given.network ?? network,
      clock: given.clock ?? clock,
    };
    this.#options = options;
    this.#network = options.network;
    this.#clock = options.clock;
    this.#sender = new Sender(options.clock, (command) => this.connection.send(command));
    this.#requests = new Requests((command) => this.#sender.send(command));
    this.#lists = new Lists(options);
    if (typeof given.token === 'function') {
      this.#renewal = new Renewal({
        clock: options.clock,
        ask: () => askToken(options),
        shown: () => this.connection.token,
        show: (token) => this.#showToken(token),
      });
    }
    this.outbox = new Outbox({
      store: options.outbox ?? forgetful,
      clock: options.clock,
      send: ({ room, text, key, replyTo, data }) =>
        this.#requests.ask({ type: 'message', room, text, key, reply_to: replyTo, data }, 'ack'),
      onSent: (message, ack) => {
        this.#sending.get(message.key)?.resolve(ack);
        this.#sending.delete(message.key);
        options.onSent?.(message, ack);
      },
      onFailed: (message, failure) => {
        this.#notSent(message, failure);
        options.onFailed?.(message, failure);
      },
    });
    this.connection = new Connection({
      ...options,
      onState: (state) => this.#changeState(state),
      onEvent: (event) => this.#receive(event),
    });
  }

  get state(): State {
    return this.connection.state;
  }

  /** The latest welcome: who the client is here. */
  get me(): Welcome | null {
    return this.#me;
  }

  /** My own key, as the server knows it: that of my messages. */
  get user(): string | undefined {
    return this.#me?.user;
  }

  /** With it a later client is the same guest. */
  get secret(): string | null {
    return this.#secret;
  }

  /**
   * Connects, and from then on reconnects by itself. Resolves when there is a connection; while there is no server it
   * waits. Rejects with CommandRefused if the server does not admit us, and with ConnectionLost after `close`.
   */
  open(): Promise<void> {
    this.#stopWatching ??= this.#network.watch?.((isOnline) =>
      isOnline ? this.connection.networkUp() : this.connection.networkDown(),
    );
    this.connection.open();
    if (this.state.name === 'live') return Promise.resolve();
    return ignorable(new Promise((resolve, reject) => this.#opening.push({ resolve, reject })));
  }

  /** Closes until the next `open`. Messages wait for it. */
  close(): void {
    this.#stopWatching?.();
    this.#stopWatching = undefined;
    this.connection.close();
  }

  /** Joins now or as soon as there is a connection, and again after each reconnect. A refusal is an `error` event. */
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

  /**
   * Says something in a joined room. Resolves when it is stored, however long there is no connection. Rejects with
   * CommandRefused if the server refuses it; then it is not repeated.
   */
  send(room: string, text: string, extras: Extras = {}): Promise<Ack> {
    const key = newKey(this.#clock.now());
    return ignorable(
      new Promise((resolve, reject) => {
        if (!this.follows(room) && !this.outbox.isRefused(room)) throw new Error(`Join ${room} first.`);
        this.#sending.set(key, { resolve, reject });
        if (this.outbox.add({ room, text, key, ...extras }) !== undefined) return;
        this.#sending.delete(key);
        throw new Error(`Too many messages wait for ${room}.`);
      }),
    );
  }

  /** Follows a topic now or as soon as there is a connection, and again after each reconnect. */
  follow(topic: string): void {
    if (this.#topics.has(topic)) return;
    this.#topics.add(topic);
    this.#sender.send({ type: 'follow', topic });
  }

  unfollow(topic: string): void {
    if (this.#topics.delete(topic)) this.#sender.send({ type: 'unfollow', topic });
  }

  /** Whether the room is joined, or will be as soon as possible. False after a permanent refusal. */
  follows(room: string): boolean {
    return this.#positions.has(fold(room));
  }

  // These reject with CommandRefused or ConnectionLost. While the server says "too fast", they wait and repeat.

  /** Any other command, such as an application's own. Resolves with its answer: an `ack`, or what the command names. */
  ask<Reply = Ack>(command: { type: string }): Promise<Reply> {
    return this.#insist(() => this.#requests.ask<Reply>(command as Command));
  }

  /** A page of the room's log. Its rows may be newer than events that are still to come: the higher `rev` wins. */
  history(room: string, place: Place): Promise<HistoryPage> {
    return this.#insist(() => this.#requests.ask({ type: 'history', room, ...place }, 'history'));
  }

  edit(room: string, seq: number, text: string): Promise<Ack> {
    return this.#perform({ type: 'edit', room, seq, text: text.toWellFormed() });
  }

  delete(room: string, seq: number): Promise<Ack> {
    return this.#perform({ type: 'delete', room, seq });
  }

  react(room: string, seq: number, emoji: string, on = true): Promise<Ack> {
    return this.#perform({ type: 'react', room, seq, emoji, on });
  }

  pin(room: string, seq: number, on = true): Promise<Ack> {
    return this.#perform({ type: 'pin', room, seq, on });
  }

  // Rooms and roles. Who is refused gets `forbidden`, whether the room exists or not.

  /** Makes a room, and follows it from now on, as `join` does. Resolves with what it is like. */
  create(room: NewRoom): Promise<Joined> {
    return this.#insist(() => this.#requests.ask<Joined>({ type: 'create', ...room }, 'joined'));
  }

  /** Finds or makes the direct room with these users, and follows it from now on. */
  direct(users: string[]): Promise<Joined> {
    return this.#insist(() => this.#requests.ask<Joined>({ type: 'direct', users }, 'joined'));
  }

  changeRoom(room: string, change: RoomChange): Promise<Ack> {
    return this.#perform({ type: 'change_room', room, ...change });
  }

  invite(room: string, user: string): Promise<Ack> {
    return this.#perform({ type: 'invite', room, user });
  }

  remove(room: string, user: string): Promise<Ack> {
    return this.#perform({ type: 'remove', room, user });
  }

  /** Gives up one's membership; `leave` only stops following. */
  leaveRoom(room: string): Promise<Ack> {
    return this.#perform({ type: 'leave_room', room });
  }

  /** An owner who makes somebody else the owner becomes a moderator. */
  setRole(room: string, user: string, role: SetRole['role']): Promise<Ack> {
    return this.#perform({ type: 'set_role', room, user, role });
  }

  /** Takes somebody's connections out of a room; they may join again. */
  kick(room: string, user: string): Promise<Ack> {
    return this.#perform({ type: 'kick', room, user });
  }

  /** Lets somebody only read. */
  mute(room: string, user: string, until: Until = {}): Promise<Ack> {
    return this.#perform({ type: 'mute', room, user, ...timeOf(until) });
  }

  /** Keeps somebody out of a room. */
  ban(room: string, user: string, until: Until = {}): Promise<Ack> {
    return this.#perform({ type: 'ban', room, user, ...timeOf(until) });
  }

  /** Tells those who moderate the room of a message. */
  report(room: string, seq: number, reason: string): Promise<Ack> {
    return this.#perform({ type: 'report', room, seq, reason });
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

  /** What is said about a room, and who has a role in it, by their names. */
  members(room: string, query: ListQuery = {}): Promise<MembersPage> {
    return this.#lists.members(room, query);
  }

  /** Returns false, and sends nothing, without a connection, or when it would exceed the server's limits. */
  typing(room: string, active = true): boolean {
    return this.#sender.sendNow({ type: 'typing', room, active });
  }

  #perform(command: Command): Promise<Ack> {
    return this.#insist(() => this.#requests.ask(command, 'ack'));
  }

  /** The command names the wanted state, so a repeat changes nothing. */
  async #insist<Kind>(ask: () => Promise<Kind>): Promise<Kind> {
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

  async #showToken(token: string): Promise<Ack> {
    const ack = await this.#perform({ type: 'auth', token });
    this.connection.renewed(token);
    return ack;
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
      this.#renewal?.end();
      this.#joins.clear();
      this.outbox.closeAll();
      this.#requests.lose();
    }
    const waiters = this.#opening;
    if (state.name === 'live' || state.name === 'refused' || state.name === 'closed') this.#opening = [];
    for (const { resolve, reject } of waiters) {
      if (state.name === 'live') resolve();
      if (state.name === 'refused') reject(new CommandRefused(state.failure));
      if (state.name === 'closed') reject(new ConnectionLost());
    }
    this.#options.onState?.(state);
  }

  /** Who waits for a message learns why it was refused, and decides. Otherwise it stays in the outbox. */
  #notSent({ room, key }: Unsent, failure: Failure): void {
    const waiter = this.#sending.get(key);
    if (waiter === undefined) return;
    this.#sending.delete(key);
    this.outbox.discard(room, key);
    waiter.reject(new CommandRefused(failure));
  }

  #receive(event: Event): void {
    switch (event.type) {
      case 'welcome':
        this.#sender.begin(event.limits);
        this.#me = event;
        this.#secret = event.secret ?? this.#secret;
        if (event.expires !== undefined) this.#renewal?.begin(event.ts, event.expires);
        for (const topic of this.#topics) this.#sender.send({ type: 'follow', topic });
        this.#options.onEvent?.(event);
        this.#sendJoin([...this.#positions.keys()]);
        return;
      case 'joined':
        this.#isAnswered(event.room, event.id);
        this.#made(event);
        if (this.#joined(event)) this.#options.onEvent?.(event);
        if (this.#positions.has(fold(event.room))) this.outbox.open(event.room);
        return;
      case 'sync':
        if (this.#caughtUp(event)) this.#options.onEvent?.(event);
        return;
      case 'message':
      case 'changed':
      case 'room':
        if (this.#follows(event.room, event.rev)) this.#options.onEvent?.(event);
        return;
      case 'removed':
        this.outbox.close(event.room);
        this.#isAnswered(event.room);
        this.#positions.delete(fold(event.room));
        this.#options.onEvent?.(event);
        return;
      case 'error':
        this.#refuse(event);
        return;
      case 'ack':
      case 'history':
        this.#settle(event);
        return;
      default:
        if (!this.#settle(event)) this.#options.onEvent?.(event);
    }
  }

  /** The answer to `create` or `direct`: the room is followed from now on. */
  #made(event: Joined): void {
    if (event.id === undefined || this.#joins.has(event.id) || !this.#settle(event)) return;
    if (!this.follows(event.room)) this.#positions.set(fold(event.room), new Position());
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
  #settle(event: Event): boolean {
    if ('id' in event && event.id !== undefined) this.#sender.answered(event.id);
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
      this.#options.onEvent?.(event);
    }
  }

  #notJoined(rooms: string[], event: ErrorEvent): void {
    const { code, message, retry_after } = event;
    if (mayRetry(code)) {
      this.#clock.after(retry_after ?? REJOIN_AFTER, () => this.#sendJoin(rooms));
      if (code !== 'rate_limited') this.#options.onEvent?.(event);
      return;
    }
    for (const room of rooms) {
      if (!this.#positions.delete(fold(room))) continue;
      this.outbox.refuse(room, { code, message });
      this.#options.onEvent?.({ ...event, room });
    }
  }
}

function timeOf({ until, on }: Until): { until?: string; on?: boolean } {
  return { until: until instanceof Date ? until.toISOString() : until, on };
}
