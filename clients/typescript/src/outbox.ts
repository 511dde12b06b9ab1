/**
 * What was said here and is not yet known to be in the room's log. Each message keeps its key until the
 * server has answered, through lost connections and, with a store that lasts, through reloads: the same
 * key again gets the first answer, so a repeat is never a double. A room's messages go one after the
 * other, because one that has to wait must not be overtaken.
 */
import { Backoff } from './backoff.js';
import type { Clock, Failure } from './connection.js';
import { fold } from './keys.js';
import type { Ack } from './protocol.js';
import { CommandRefused, mayRetry } from './requests.js';

export interface Unsent {
  room: string;
  /** At least 64 random bits. */
  key: string;
  text: string;
  /** The `seq` of the message that this one answers. */
  replyTo?: number;
  /** When it was said. No two of one outbox are the same: it is their order as well. */
  at: number;
  /** It went to the server at least once. Without an answer, it may or may not be in the log. */
  tried?: true;
  /** Why the server refused it. It waits until somebody tries again or discards it. */
  failure?: Failure;
}

/** Belongs to one identity: a key is good for its own user only. */
export interface OutboxStore {
  load(): Unsent[];
  put(message: Unsent): void;
  remove(message: Unsent): void;
}

export interface OutboxOptions {
  store: OutboxStore;
  clock: Clock;
  backoff?: Backoff;
  /** Rejects with CommandRefused where the server said no; with anything else the message is sent again later. */
  send: (message: Unsent) => Promise<Ack>;
  onSent: (message: Unsent, ack: Ack) => void;
  onFailed: (message: Unsent, failure: Failure) => void;
}

/** So many messages of one room are kept; whoever says more than that is talking to nobody. */
const KEPT = 500;

interface Lane {
  messages: Unsent[];
  isOpen: boolean;
  isSending: boolean;
  cancelWait: (() => void) | null;
  /** Why the room takes no messages of ours. */
  refusal: Failure | null;
}

export class Outbox {
  readonly #options: OutboxOptions;
  readonly #backoff: Backoff;
  /** By folded room. */
  readonly #lanes = new Map<string, Lane>();
  #lastAt = 0;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#backoff = options.backoff ?? new Backoff();
    for (const message of options.store.load().sort((a, b) => a.at - b.at)) {
      this.#lane(message.room).messages.push(message);
      this.#lastAt = Math.max(this.#lastAt, message.at);
    }
  }

  /** A room's messages in their order, the refused ones among them. */
  of(room: string): readonly Unsent[] {
    return this.#lane(room).messages;
  }

  /** Undefined if the room's part is full: then nothing was taken. */
  add(message: Omit<Unsent, 'at' | 'tried' | 'failure'>): Unsent | undefined {
    const lane = this.#lane(message.room);
    if (lane.messages.length >= KEPT) return undefined;
    this.#lastAt = Math.max(this.#lastAt + 1, this.#options.clock.now());
    const unsent: Unsent = { ...message, at: this.#lastAt };
    lane.messages.push(unsent);
    this.#options.store.put(unsent);
    this.#sendNext(lane);
    return unsent;
  }

  /** Sends a refused message again, under the same key. */
  retry(room: string, key: string): void {
    const lane = this.#lane(room);
    const message = lane.messages.find((other) => other.key === key);
    if (message === undefined) return;
    delete message.failure;
    this.#options.store.put(message);
    this.#sendNext(lane);
  }

  discard(room: string, key: string): void {
    const lane = this.#lane(room);
    const message = lane.messages.find((other) => other.key === key);
    if (message !== undefined) this.#drop(lane, message);
  }

  /** The room has been joined on this connection: its messages may go. */
  open(room: string): void {
    const lane = this.#lane(room);
    lane.isOpen = true;
    lane.refusal = null;
    this.#sendNext(lane);
  }

  /** The room has not been joined, or not yet: its messages wait. */
  close(room: string): void {
    const lane = this.#lane(room);
    lane.refusal = null;
    this.#close(lane);
  }

  /** The room can't be joined: its messages fail with the reason, the present ones and those to come. */
  refuse(room: string, failure: Failure): void {
    const lane = this.#lane(room);
    this.#close(lane);
    lane.refusal = failure;
    this.#sendNext(lane);
  }

  /** The connection is gone. */
  closeAll(): void {
    for (const lane of this.#lanes.values()) this.#close(lane);
  }

  /**
   * Whoever sends from now on is somebody else, for whom no key is a repeat. What never went to the server still goes
   * by itself; for the rest somebody must decide, since it may be in the log already.
   */
  changeSender(failure: Failure): void {
    for (const { messages } of this.#lanes.values()) {
      for (const message of messages) if (message.tried === true && !message.failure) this.#fail(message, failure);
    }
  }

  #close(lane: Lane): void {
    lane.isOpen = false;
    lane.cancelWait?.();
    lane.cancelWait = null;
  }

  #sendNext(lane: Lane): void {
    const waiting = lane.messages.filter(({ failure }) => failure === undefined);
    if (lane.refusal !== null) for (const message of waiting) this.#fail(message, lane.refusal);
    const message = waiting[0];
    if (!lane.isOpen || lane.isSending || lane.cancelWait !== null || message === undefined) return;
    lane.isSending = true;
    if (message.tried !== true) {
      message.tried = true;
      this.#options.store.put(message);
    }
    this.#options
      .send(message)
      .then(
        (ack) => this.#sent(lane, message, ack),
        (error: unknown) => this.#refused(lane, message, error),
      )
      .finally(() => {
        lane.isSending = false;
        this.#sendNext(lane);
      });
  }

  #sent(lane: Lane, message: Unsent, ack: Ack): void {
    this.#backoff.reset();
    this.#drop(lane, message);
    this.#options.onSent(message, ack);
  }

  #refused(lane: Lane, message: Unsent, error: unknown): void {
    if (!lane.isOpen) return;
    if (error instanceof CommandRefused && !mayRetry(error.failure.code)) {
      this.#fail(message, error.failure);
      return;
    }
    const wait = (error instanceof CommandRefused ? error.retryAfter : undefined) ?? this.#backoff.next();
    lane.cancelWait = this.#options.clock.after(wait, () => {
      lane.cancelWait = null;
      this.#sendNext(lane);
    });
  }

  #fail(message: Unsent, failure: Failure): void {
    message.failure = failure;
    this.#options.store.put(message);
    this.#options.onFailed(message, failure);
  }

  #drop(lane: Lane, message: Unsent): void {
    lane.messages = lane.messages.filter((other) => other !== message);
    this.#options.store.remove(message);
  }

  #lane(room: string): Lane {
    const known = this.#lanes.get(fold(room));
    if (known !== undefined) return known;
    const lane: Lane = { messages: [], isOpen: false, isSending: false, cancelWait: null, refusal: null };
    this.#lanes.set(fold(room), lane);
    return lane;
  }
}

/** Remembers nothing: what is unsent is lost with the page. */
export const forgetful: OutboxStore = {
  load: () => [],
  put: () => {},
  remove: () => {},
};
