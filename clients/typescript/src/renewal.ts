/** Shows the server a newer token before the one expires by which the user is here. It knows no sockets. */
import type { Clock } from './connection.js';
import type { Ack } from './protocol.js';

export interface RenewalOptions {
  clock: Clock;
  ask: () => string | null | Promise<string | null>;
  /** The token that the server has seen last. */
  shown: () => string | null;
  /** Sends the command `auth`. Rejects if the server does not take the token. */
  show: (token: string) => Promise<Ack>;
}

/** Milliseconds before the end at which a newer token is asked for; of a short time, its last fifth. */
const BEFORE = 60_000;
/** The longest wait of a timer: one of more than 24 days ends at once in browsers and Node.js. */
const LONGEST = 86_400_000;

export class Renewal {
  readonly #options: RenewalOptions;
  #cancelTimer: () => void = () => {};
  /** Milliseconds by which the server's clock is ahead. */
  #ahead = 0;
  /** Increases with each connection: what was asked for an earlier one comes too late. */
  #round = 0;

  constructor(options: RenewalOptions) {
    this.#options = options;
  }

  /** A connection has begun. `now` is the server's time, `expires` when the identity ends. */
  begin(now: string, expires: string): void {
    this.end();
    this.#ahead = Date.parse(now) - this.#options.clock.now();
    this.#plan(Date.parse(expires) - this.#ahead);
  }

  /** The connection is gone. */
  end(): void {
    this.#round += 1;
    this.#cancelTimer();
  }

  #plan(end: number): void {
    const left = end - this.#options.clock.now();
    this.#waitUntil(end - Math.min(BEFORE, left / 5), end);
  }

  #waitUntil(due: number, end: number): void {
    const wait = due - this.#options.clock.now();
    if (wait <= 0) void this.#renew(end);
    else this.#cancelTimer = this.#options.clock.after(Math.min(wait, LONGEST), () => this.#waitUntil(due, end));
  }

  async #renew(end: number): Promise<void> {
    const { ask, shown, show } = this.#options;
    const round = this.#round;
    try {
      const token = await ask();
      if (round !== this.#round || token === null || token === shown()) return;
      const { expires } = await show(token);
      const newEnd = expires === undefined ? 0 : Date.parse(expires) - this.#ahead;
      // A token that lasts no longer would be followed by another one at once.
      if (round === this.#round && newEnd > end) this.#plan(newEnd);
    } catch {
      // The server closes the connection when the identity ends. Then the token is asked for again.
    }
  }
}
