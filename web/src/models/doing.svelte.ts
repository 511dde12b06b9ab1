/** What a form asks of the server: one thing at a time, and why the server refused it. */
import { CommandRefused, ConnectionLost, type Failure } from 'hubbub-client';

export class Doing {
  #isBusy = $state(false);
  #failure = $state.raw<Failure | null>(null);

  get isBusy(): boolean {
    return this.#isBusy;
  }

  get failure(): Failure | null {
    return this.#failure;
  }

  /** The user has changed what was refused. */
  forget(): void {
    this.#failure = null;
  }

  /** Returns whether it was done. */
  async try(act: () => Promise<unknown>): Promise<boolean> {
    if (this.#isBusy) return false;
    this.#isBusy = true;
    this.#failure = null;
    try {
      await act();
      return true;
    } catch (error) {
      if (error instanceof CommandRefused) this.#failure = error.failure;
      else if (error instanceof ConnectionLost) this.#failure = { code: 'closed', message: error.message };
      else throw error;
      return false;
    } finally {
      this.#isBusy = false;
    }
  }
}
