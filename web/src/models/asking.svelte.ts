/** What the server is asked for: the answer, whether one is awaited, and why there is none. */
import type { Failure } from 'hubbub-client';
import { Refused } from './refused';

export class Asking<Value> {
  readonly #ask: () => Promise<Value>;
  #value = $state.raw<Value | null>(null);
  #failure = $state.raw<Failure | null>(null);
  #isBusy = $state(false);
  /** Counts the questions: the answer to an earlier one is outdated. */
  #last = 0;

  constructor(ask: () => Promise<Value>) {
    this.#ask = ask;
  }

  get value(): Value | null {
    return this.#value;
  }

  /** Of the last question, or the last change. */
  get failure(): Failure | null {
    return this.#failure;
  }

  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** Asks, or asks again. Until the answer, the last one stays. */
  async ask(): Promise<void> {
    const question = ++this.#last;
    await this.#try(async () => {
      const value = await this.#ask();
      if (question === this.#last) this.#value = value;
    });
  }

  /** Does what changes the answer, and asks again. Returns null if it was refused. */
  async change<Made>(work: () => Promise<Made>): Promise<{ made: Made } | null> {
    const done = await this.#try(async () => ({ made: await work() }));
    if (done !== null) await this.ask();
    return done;
  }

  async #try<Made>(work: () => Promise<Made>): Promise<Made | null> {
    this.#isBusy = true;
    this.#failure = null;
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.#failure = error.failure;
      return null;
    } finally {
      this.#isBusy = false;
    }
  }
}
