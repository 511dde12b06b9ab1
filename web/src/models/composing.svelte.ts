/** What one is writing in a room: something new, an answer, or other words for an earlier message of one's own. */
import type { Stored } from './lines';
import type { DraftStore } from './storage';

export class Composing {
  readonly #kept: DraftStore | undefined;
  #draft = $state('');
  #editing = $state.raw<Stored | null>(null);
  #answering = $state.raw<Stored | null>(null);
  #setAside = '';

  /** What is new outlives the page in `kept`; an edit does not. */
  constructor(kept?: DraftStore) {
    this.#kept = kept;
    this.#draft = kept?.load() ?? '';
  }

  get draft(): string {
    return this.#draft;
  }

  set draft(text: string) {
    this.#draft = text;
    if (this.#editing === null) this.#kept?.keep(text);
  }

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
