/**
 * Messages that are not yet known to be in the room's log. Each message keeps its key until the server
 * has answered, through lost connections and, with a permanent store, through reloads. The same key
 * again gets the first answer, so a repeat is never a second message. A room's messages are sent one
 * after the other, so that no message overtakes one that has to wait.
 */
import { Backoff } from './backoff.js';
import type { Clock, Failure } from './connection.js';
import { fold } from './keys.js';
import type { Ack, MessageEvent } from './protocol.js';
import { CommandRefused, mayRetry } from './requests.js';

export interface Unsent {
  room: string;
  /** At least 64 random bits. */
  key: string;
  text: string;
  /** The `seq` of the message that this one answers. */
  replyTo?: number;
  /** The application's own part. */
  data?: MessageEvent['data'];
  /** When it was written. Different for each message of an outbox, so it is their order too. */
  at: number;
  /** It was sent at least once. Without an answer, it may or may not be in the log. */
  tried?: true;
  /** Why the server refused it. It waits until the user tries again or discards it. */
  failure?: Failure;
}

/** Belongs to one identity: a key counts only for its own user. */
export interface OutboxStore {
  load(): Unsent[];
  put(message: Unsent): void;
  remove(message: Unsent): void;
}

export interface OutboxOptions {
  store: OutboxStore;
  clock: Clock;
  backoff?: Backoff;
  /** Rejects with CommandRefused if the server refused it; after any other error the message is sent again later. */
  send: (message: Unsent) => Promise<Ack>;
  onSent: (message: Unsent, ack: Ack) => void;
  onFailed: (message: Unsent, failure: Failure) => void;
}

/** The largest number of waiting messages for one room. */
const KEPT = 500;

interface Lane {
  messages: Unsent[];
  isOpen: boolean;
  isSending: boolean;
  cancelWait: (() => void) | null;
  /** Why the room does not accept our messages. */
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

  /** A room's messages in order, including refused ones. */
  of(room: string): readonly Unsent[] {
    return this.#lane(room).messages;
  }

  /** Returns undefined, and takes nothing, if the room's part is full. */
  add(message: Omit<Unsent, 'at' | 'tried' | 'failure'>): Unsent | undefined {
    const lane = this.#lane(message.room);
    if (lane.messages.length >= KEPT) return undefined;
    this.#lastAt = Math.max(this.#lastAt + 1, this.#options.clock.now());
    // A server refuses half of a surrogate pair without saying of which message it is.
    const unsent: Unsent = { ...message, text: message.text.toWellFormed(), at: this.#lastAt };
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

  /** The room has been joined on this connection: its messages may be sent. */
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

  /** The room cannot be joined. */
  isRefused(room: string): boolean {
    return this.#lane(room).refusal !== null;
  }

  /** The room cannot be joined: its present and future messages fail with the reason. */
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
   * From now on another identity sends, for which a repeated key is a new message. Messages that were never sent are
   * still sent by themselves. For the others the user must decide, because they may be in the log already.
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

/** Stores nothing: unsent messages are lost with the page. */
export const forgetful: OutboxStore = {
  load: () => [],
  put: () => {},
  remove: () => {},
};
