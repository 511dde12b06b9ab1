/** Who is typing, in both directions. `typing` events may be lost, so each one expires by itself. */
import { SvelteMap } from 'svelte/reactivity';
import type { Clock } from 'hubbub-client';
import type { Person } from './names.svelte';

/** The protocol's time after which `typing` expires. */
const FORGOTTEN_AFTER = 6_000;
/** Often enough that continuous typing shows no pause, even if one event is lost. */
const REPEATED_AFTER = 2_500;

export class Typists {
  readonly #clock: Clock;
  #people = new SvelteMap<string, Person>();
  #forget = new Map<string, () => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get people(): Person[] {
    return [...this.#people.values()];
  }

  started(user: string, name: string): void {
    this.#forget.get(user)?.();
    this.#people.set(user, { user, name });
    this.#forget.set(
      user,
      this.#clock.after(FORGOTTEN_AFTER, () => this.stopped(user)),
    );
  }

  stopped(user: string): void {
    this.#forget.get(user)?.();
    this.#forget.delete(user);
    this.#people.delete(user);
  }

  startOver(): void {
    for (const user of [...this.#people.keys()]) this.stopped(user);
  }
}

/** My own typing in one room, sent sparingly. */
export class TypingSign {
  readonly #clock: Clock;
  readonly #tell: (active: boolean) => boolean;
  #toldAt: number | null = null;

  /** `tell` returns false if it cannot be sent yet. */
  constructor(clock: Clock, tell: (active: boolean) => boolean) {
    this.#clock = clock;
    this.#tell = tell;
  }

  wrote(draft: string): void {
    if (draft.trim() === '') {
      this.#stop();
      return;
    }
    const now = this.#clock.now();
    if (this.#toldAt !== null && now - this.#toldAt < REPEATED_AFTER) return;
    if (this.#tell(true)) this.#toldAt = now;
  }

  /** The message itself ends typing for the others. */
  sent(): void {
    this.#toldAt = null;
  }

  #stop(): void {
    if (this.#toldAt === null) return;
    this.#toldAt = null;
    this.#tell(false);
  }
}
