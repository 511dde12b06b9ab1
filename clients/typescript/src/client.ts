/**
 * The protocol's client side: keeps rooms joined across reconnects, keeps each room's events in
 * order without gaps or doubles, and matches answers to commands. It knows no DOM.
 */
import { Connection, type ConnectionOptions, type Failure, type State } from './connection.js';
import { fold } from './keys.js';
import { Position, type Verdict } from './position.js';
import type { Ack, ErrorEvent, Event, Joined, RoomPosition, SendMessage, Sync } from './protocol.js';

/** A command's answer was an `error`. */
export class CommandRefused extends Error {
  readonly failure: Failure;
  /** Milliseconds, when the server says when to try again. */
  readonly retryAfter: number | undefined;

  constructor(event: ErrorEvent) {
    super(event.message);
    this.name = 'CommandRefused';
    this.failure = { code: event.code, message: event.message };
    this.retryAfter = event.retry_after;
  }
}

/** There was no answer before the connection went; whether the command took effect is unknown. */
export class ConnectionLost extends Error {
  constructor() {
    super('The connection was lost before the server answered.');
    this.name = 'ConnectionLost';
  }
}

export interface ClientOptions extends Pick<ConnectionOptions, 'address' | 'network' | 'clock' | 'backoff'> {
  onState: (state: State) => void;
  /** Events to apply, in each room's order. Answers to commands are not among them. */
  onEvent: (event: Event) => void;
}

interface Pending {
  resolve: (ack: Ack) => void;
  reject: (error: Error) => void;
}

/** The server refuses a join with these for as long as nothing about the room or user changes. */
const HOPELESS = new Set(['invalid', 'forbidden', 'not_found']);

export class Client {
  readonly connection: Connection;
  readonly #options: ClientOptions;
  /** Of each room that should be joined, by its folded key. */
  readonly #positions = new Map<string, Position>();
  readonly #pending = new Map<string, Pending>();
  #lastId = 0;

  constructor(options: ClientOptions) {
    this.#options = options;
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
    if (this.#positions.delete(fold(room))) this.connection.send({ type: 'leave', room });
  }

  /**
   * Resolves once the server has taken the message. `key` makes a repeat harmless: the same key
   * gets the first answer. Rejects with CommandRefused or ConnectionLost.
   */
  say(room: string, text: string, key: string): Promise<Ack> {
    return this.#ask({ type: 'message', room, text, key });
  }

  typing(room: string, active: boolean): void {
    this.connection.send({ type: 'typing', room, active });
  }

  #ask(command: SendMessage): Promise<Ack> {
    this.#lastId += 1;
    const id = String(this.#lastId);
    return new Promise((resolve, reject) => {
      if (this.connection.send({ ...command, id })) this.#pending.set(id, { resolve, reject });
      else reject(new ConnectionLost());
    });
  }

  #sendJoin(rooms: string[]): void {
    if (rooms.length === 0) return;
    this.connection.send({
      type: 'join',
      rooms: rooms.map((room) => this.#whereIs(room)),
    });
  }

  #whereIs(room: string): RoomPosition {
    const position = this.#positions.get(fold(room));
    return position?.rev === undefined ? { room } : { room, rev: position.rev, epoch: position.epoch };
  }

  #changeState(state: State): void {
    if (state.name !== 'live') {
      for (const { reject } of this.#pending.values()) reject(new ConnectionLost());
      this.#pending.clear();
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
        if (this.#joined(event)) this.#options.onEvent(event);
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
        this.#settle(event.id)?.resolve(event);
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

  #caughtUp({ room, since, rev }: Joined | Sync): boolean {
    return this.#judge(room, (position) => position.catchUp(since, rev));
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
    const pending = this.#settle(event.id);
    if (pending !== undefined) {
      pending.reject(new CommandRefused(event));
      return;
    }
    if (event.command === 'join' && event.room !== undefined && HOPELESS.has(event.code)) {
      this.#positions.delete(fold(event.room));
    }
    this.#options.onEvent(event);
  }

  #settle(id: string | undefined): Pending | undefined {
    if (id === undefined) return undefined;
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    return pending;
  }
}
