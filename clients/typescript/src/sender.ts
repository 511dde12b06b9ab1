/**
 * The outgoing commands of a connection. They wait here, in order, until the server's limits allow them. It knows only
 * that an answer came, and drops waiting commands when the connection ends.
 */
import type { Clock } from './connection.js';
import { Pace } from './pace.js';
import type { Command, Limits } from './protocol.js';

export class Sender {
  readonly #clock: Clock;
  readonly #write: (command: Command) => boolean;
  readonly #pace = new Pace();
  #limits: Limits | null = null;
  #waiting: Command[] = [];
  /** The ids of commands that were sent and have no answer. */
  readonly #unanswered = new Set<string>();
  #cancelTimer: (() => void) | null = null;

  constructor(clock: Clock, write: (command: Command) => boolean) {
    this.#clock = clock;
    this.#write = write;
  }

  /** The welcome has come, with the server's limits. */
  begin(limits: Limits): void {
    this.end();
    this.#limits = limits;
    this.#pace.begin(limits, this.#clock.now());
  }

  /** The connection is gone. */
  end(): void {
    this.#limits = null;
    this.#waiting = [];
    this.#unanswered.clear();
    this.#cancelTimer?.();
    this.#cancelTimer = null;
  }

  /** Sends a command as soon as the limits allow. Returns false, and keeps nothing, while there is no connection. */
  send(command: Command): boolean {
    if (this.#limits === null) return false;
    this.#waiting.push(command);
    this.#sendWaiting();
    return true;
  }

  /** For commands that are useless later. Returns false, and keeps nothing, unless it can be sent at once. */
  sendNow(command: Command): boolean {
    if (this.#limits === null || this.#waiting.length > 0) return false;
    if (this.#unanswered.size >= this.#limits.unanswered || this.#pace.wait(this.#clock.now()) > 0) return false;
    return this.send(command);
  }

  /** The last answer to the command with this id has come. */
  answered(id: string): void {
    if (this.#unanswered.delete(id)) this.#sendWaiting();
  }

  /** The server says that commands come too fast, and when the next one may be sent. */
  tooFast(retryAfter?: number): void {
    this.#pace.tooFast(this.#clock.now(), retryAfter);
  }

  #sendWaiting(): void {
    while (this.#limits !== null && this.#cancelTimer === null && this.#unanswered.size < this.#limits.unanswered) {
      const command = this.#waiting[0];
      if (command === undefined) return;
      const now = this.#clock.now();
      const wait = this.#pace.wait(now);
      if (wait > 0) {
        this.#cancelTimer = this.#clock.after(Math.ceil(wait), () => {
          this.#cancelTimer = null;
          this.#sendWaiting();
        });
        return;
      }
      this.#waiting.shift();
      this.#pace.sent(now);
      if (command.id !== undefined) this.#unanswered.add(command.id);
      this.#write(command);
    }
  }
}
