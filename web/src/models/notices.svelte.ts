/** Short messages about something that went wrong; they disappear by themselves. */
import { CommandRefused, ConnectionLost, type Clock } from 'hubbub-client';
import { sentenceOf } from '../words/failures';
import { words } from '../words/language.svelte';

export interface Notice {
  id: number;
  message: string;
}

const SHOWN_FOR = 7_000;
const SHOWN_AT_ONCE = 3;

export class Notices {
  readonly #clock: Clock;
  #shown = $state.raw<Notice[]>([]);
  #lastId = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get shown(): readonly Notice[] {
    return this.#shown;
  }

  tell(message: string): void {
    this.#lastId += 1;
    const id = this.#lastId;
    const others = this.#shown.filter((notice) => notice.message !== message);
    this.#shown = [...others, { id, message }].slice(-SHOWN_AT_ONCE);
    this.#clock.after(SHOWN_FOR, () => this.dismiss(id));
  }

  /** Something that the user wanted could not be done. */
  readonly failed = (error: unknown): void => {
    if (error instanceof CommandRefused) this.tell(sentenceOf(error.failure));
    else if (error instanceof ConnectionLost) this.tell(words().failures.connectionLost);
    else if (error instanceof Error) this.tell(error.message);
  };

  dismiss(id: number): void {
    this.#shown = this.#shown.filter((notice) => notice.id !== id);
  }
}
