export interface BackoffOptions {
  /** The first ceiling, in milliseconds. */
  first?: number;
  /** No wait is longer than this, in milliseconds. */
  longest?: number;
  /** A number in [0, 1). */
  random?: () => number;
}

/**
 * How long to wait before the next attempt: "full jitter" (Marc Brooker, "Exponential Backoff And
 * Jitter", AWS Architecture Blog), so that thousands of clients which lost one server come back
 * spread over the whole wait, not in waves.
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

  /** The next wait in milliseconds; the ceiling doubles with each call until `reset`. */
  next(): number {
    const ceiling = Math.min(this.#longest, this.#first * 2 ** this.#attempts);
    if (ceiling < this.#longest) this.#attempts += 1;
    return Math.round(this.#random() * ceiling);
  }

  reset(): void {
    this.#attempts = 0;
  }
}
