export interface BackoffOptions {
  /** The first limit of a wait, in milliseconds. */
  first?: number;
  /** The longest wait, in milliseconds. */
  longest?: number;
  /** A number in [0, 1). */
  random?: () => number;
}

/**
 * How long to wait before the next attempt: "full jitter" (Marc Brooker, "Exponential Backoff And
 * Jitter", AWS Architecture Blog). Thousands of clients that lost one server so reconnect spread over
 * the whole wait, not in waves.
 */
export class Backoff {
  readonly #first: number;
  readonly #longest: number;
  readonly #random: () => number;
  #attempts = 0;

  constructor({ first = 500, longest = 30_000, random = Math.random }: BackoffOptions = {}) {
    this.#first = first;
    this.#longest = longest;
    this.#random = random;
  }

  /** The next wait in milliseconds; the limit doubles with each call until `reset`. */
  next(): number {
    const ceiling = Math.min(this.#longest, this.#first * 2 ** this.#attempts);
    if (ceiling < this.#longest) this.#attempts += 1;
    return Math.round(this.#random() * ceiling);
  }

  reset(): void {
    this.#attempts = 0;
  }
}
