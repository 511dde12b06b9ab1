/**
 * How many lines the page adds before it draws again. A whole page of history at once would stop a slow device's scrolling,
 * and few lines would make a fast one wait for frames.
 */

const FIRST = 4;
const LEAST = 2;
const MOST = 10;
const STEP = 2;

/** Milliseconds for the lines and their frame: a device that takes less may add more, one that takes more adds fewer. */
const QUICK = 40;
const SLOW = 70;

export class Slices {
  #size = FIRST;

  get size(): number {
    return this.#size;
  }

  /** The last slice was drawn, in so many milliseconds. */
  drawn(took: number): void {
    if (took < QUICK) this.#size = Math.min(MOST, this.#size + STEP);
    else if (took > SLOW) this.#size = Math.max(LEAST, this.#size - STEP);
  }
}
