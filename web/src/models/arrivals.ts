/**
 * Events wait here, in their order, until the page draws: so the events of one moment cost one layout. After a pause the
 * next event is drawn at once, in a busy room a few times a second. A device that takes long to draw draws less often, and
 * keeps most of its time for the user.
 */
import type { Clock } from 'hubbub-client';

export interface Drawing {
  /** Calls `draw` soon, before the page draws next, and then `drawn` with the milliseconds that it took. */
  next(draw: () => void, drawn: (took: number) => void): void;
}

/** Of the time, at most one part in this many is for drawing what has arrived. */
const SHARE = 5;
/** But no event waits longer than this, in milliseconds. */
const PATIENCE = 250;
/** Nor is it drawn sooner than this after the last ones: ten lines at once cost little more than one. */
const PACE = 125;

export class Arrivals<Event> {
  readonly #clock: Clock;
  readonly #drawing: Drawing;
  readonly #apply: (event: Event) => void;
  #waiting: Event[] = [];
  #isDue = false;
  /** The time before which nothing is drawn. */
  #restsUntil = 0;

  constructor(clock: Clock, drawing: Drawing, apply: (event: Event) => void) {
    this.#clock = clock;
    this.#drawing = drawing;
    this.#apply = apply;
  }

  add(event: Event): void {
    this.#waiting.push(event);
    if (this.#isDue) return;
    this.#isDue = true;
    const rest = this.#restsUntil - this.#clock.now();
    // A clock that was set back causes no longer wait.
    if (rest > 0) this.#clock.after(Math.min(rest, PATIENCE), () => this.#draw());
    else this.#draw();
  }

  /** Applies all events now, for what must come after them. */
  flush(): void {
    const events = this.#waiting;
    this.#waiting = [];
    for (const event of events) this.#apply(event);
  }

  #draw(): void {
    this.#drawing.next(
      () => {
        this.#isDue = false;
        this.flush();
      },
      (took) => (this.#restsUntil = this.#clock.now() + Math.min(Math.max((SHARE - 1) * took, PACE), PATIENCE)),
    );
  }
}
