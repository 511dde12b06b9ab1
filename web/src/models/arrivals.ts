/**
 * Events wait here, in their order, until the page draws: so the events of one moment cost one layout. After a pause the
 * next event is drawn at once, in a busy room a few times a second. A device that takes long to draw draws less often, and
 * keeps most of its time for the user.
 *
 * Many lines at once would stop a slow device for as long as a key may not wait. They are made a few at a time, out of
 * sight, and shown together.
 */
import type { Clock } from 'hubbub-client';
import { Slices } from './slices';

export interface Drawing {
  /** Calls `draw` soon, before the page draws next, and then `drawn` with the milliseconds that it took. */
  next(draw: () => void, drawn: (took: number) => void): void;
  /** Calls `make` in a task of its own, between those for the user, and then `made` with the milliseconds that it took. */
  make(make: () => void, made: (took: number) => void): void;
}

/** Where the events go. */
export interface Destination<Event> {
  apply(event: Event): void;
  /** Whether new lines are kept out of sight for now. */
  hide(areHidden: boolean): void;
}

/** Of the time, at most one part in this many is for drawing what has arrived. */
const SHARE = 5;
/** But no event waits longer than this, in milliseconds. */
const PATIENCE = 250;
/** Nor is it drawn sooner than this after the last ones: ten lines at once cost little more than one. */
const PACE = 125;
/** To lay out and paint lines takes about as long as to make them. */
const FRAME = 2;

export class Arrivals<Event> {
  readonly #clock: Clock;
  readonly #drawing: Drawing;
  readonly #destination: Destination<Event>;
  readonly #slices = new Slices();
  #waiting: Event[] = [];
  /** The events that wait will be drawn. */
  #isDue = false;
  /** The time before which nothing is drawn. */
  #restsUntil = 0;

  constructor(clock: Clock, drawing: Drawing, destination: Destination<Event>) {
    this.#clock = clock;
    this.#drawing = drawing;
    this.#destination = destination;
  }

  add(event: Event): void {
    this.#waiting.push(event);
    if (!this.#isDue) this.#drawSoon();
  }

  /** Applies and shows all events now, for what must come after them. */
  flush(): void {
    this.#apply(this.#waiting.length);
    this.#destination.hide(false);
  }

  #drawSoon(): void {
    this.#isDue = true;
    const rest = this.#restsUntil - this.#clock.now();
    // A clock that was set back causes no longer wait.
    if (rest > 0) this.#clock.after(Math.min(rest, PATIENCE), () => this.#draw());
    else this.#draw();
  }

  #draw(): void {
    if (this.#waiting.length <= this.#slices.size) this.#show(() => this.#apply(this.#slices.size));
    else this.#make(this.#clock.now() + PATIENCE);
  }

  /** Makes lines until there are no more, or until those that are made must be shown. */
  #make(until: number): void {
    this.#drawing.make(
      () => {
        this.#destination.hide(true);
        this.#apply(this.#slices.size);
      },
      (took) => {
        this.#slices.drawn(FRAME * took);
        if (this.#waiting.length > 0 && this.#clock.now() < until) this.#make(until);
        else this.#show(() => this.#destination.hide(false));
      },
    );
  }

  #show(show: () => void): void {
    this.#drawing.next(show, (took) => {
      this.#restsUntil = this.#clock.now() + Math.min(Math.max((SHARE - 1) * took, PACE), PATIENCE);
      this.#isDue = false;
      if (this.#waiting.length > 0) this.#drawSoon();
    });
  }

  #apply(most: number): void {
    for (const event of this.#waiting.splice(0, most)) this.#destination.apply(event);
  }
}
