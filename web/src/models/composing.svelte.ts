/** What the user is writing in a room: a new message, a reply, or an edit of an earlier message. */
import type { Stored } from './lines';
import type { DraftStore } from './storage';

export class Composing {
  readonly #kept: DraftStore | undefined;
  #draft = $state('');
  #editing = $state.raw<Stored | null>(null);
  #answering = $state.raw<Stored | null>(null);
  #setAside = '';

  /** A new message is stored in `kept` when the page closes; an edit is not. */
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

  /** The new message, also while an older one is edited. */
  get written(): string {
    return this.#editing === null ? this.#draft : this.#setAside;
  }

  get editing(): Stored | null {
    return this.#editing;
  }

  get answering(): Stored | null {
    return this.#answering;
  }

  /** Another tab has changed what is stored there: if it is this draft, the field shows what was written or sent there. */
  storedElsewhere(entry: string | null): void {
    if (this.#kept === undefined || entry !== this.#kept.entry) return;
    if (this.#editing === null) this.#draft = this.#kept.load();
    else this.#setAside = this.#kept.load();
  }

  /** Addresses a person: the server's clients recognise the key after an @. */
  mention(user: string): void {
    const gap = this.draft === '' || /\s$/.test(this.draft) ? '' : ' ';
    this.draft = `${this.draft}${gap}@${user} `;
  }

  answer(message: Stored): void {
    this.cancelEdit();
    this.#answering = message;
  }

  /** The draft waits until the edit is over. */
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

  /** Cancels one step. Returns false if there was nothing to cancel. */
  cancel(): boolean {
    if (this.#editing !== null) this.cancelEdit();
    else if (this.#answering !== null) this.#answering = null;
    else return false;
    return true;
  }

  /** The draft has been sent. */
  done(): void {
    if (this.#editing !== null) {
      this.cancelEdit();
      return;
    }
    this.draft = '';
    this.#answering = null;
  }
}
