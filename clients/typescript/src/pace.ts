import type { Limits } from './protocol.js';

/**
 * How fast commands may be sent, so that the server seldom says that they come too fast: the generic cell rate
 * algorithm (ITU-T I.371, annex A) with the server's own rate and half of its burst. The other half is for commands
 * that the network delivers in bunches. The time is an argument, in milliseconds.
 */
export class Pace {
  #arrival = 0;
  #interval = 0;
  #slack = 0;

  /** A new connection, with a full burst. */
  begin({ rate, burst }: Limits, now: number): void {
    this.#arrival = now;
    this.#interval = 1000 / rate;
    this.#slack = Math.max(0, Math.floor(burst / 2) - 1) * this.#interval;
  }

  /** Milliseconds until the next command may be sent. A clock that was set back causes no longer wait. */
  wait(now: number): number {
    return Math.min(this.#interval, Math.max(0, this.#arrival - this.#slack - now));
  }

  sent(now: number): void {
    this.#arrival = Math.max(this.#arrival, now) + this.#interval;
  }

  /** The server has seen more at once than was meant: it has nothing left of our burst. */
  tooFast(now: number, retryAfter = this.#interval): void {
    this.#arrival = Math.max(this.#arrival, now + this.#slack + Math.min(retryAfter, this.#interval));
  }
}
