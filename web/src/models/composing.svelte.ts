/** What one is writing in a room: something new, an answer, or other words for an earlier message of one's own. */
import type { Stored } from './lines';

export class Composing {
  draft = $state('');
  #editing = $state.raw<Stored | null>(null);
  #answering = $state.raw<Stored | null>(null);
  #setAside = '';

  get editing(): Stored | null {
    return this.#editing;
  }

  get answering(): Stored | null {
    return this.#answering;
  }

  answer(message: Stored): void {
    this.cancelEdit();
    this.#answering = message;
  }

  /** What was being written waits until the edit is over. */
  edit(message: Stored): void {
    if (this.#editing === null) this.#setAside = this.draft;
    this.#editing = message;
    this.draft = message.text;
  }

  cancelEdit(): void {
    if (this.#editing === null) return;
    this.#editing = null;
    this.draft = this.#setAside;
    this.#setAside = '';
  }

  /** One step back. False if there was nothing to cancel. */
  cancel(): boolean {
    if (this.#editing !== null) this.cancelEdit();
    else if (this.#answering !== null) this.#answering = null;
    else return false;
    return true;
  }

  /** The draft has been said. */
  done(): void {
    if (this.#editing !== null) {
      this.cancelEdit();
      return;
    }
    this.draft = '';
    this.#answering = null;
  }
}
