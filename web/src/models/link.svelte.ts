/** The connection to the server, as far as a user sees it. */
import type { Connection, Failure, Limits, State } from 'hubbub-client';

/** Until the server has named its own limit. */
const TEXT_LIMIT = 4000;

export class Link {
  /** The host app's login says who the user is. */
  readonly #hasAccount: boolean;
  readonly #connection: () => Connection;
  #state = $state.raw<State>({ name: 'idle' });
  #hasEntered = $state(false);
  #textLimit = $state(TEXT_LIMIT);

  constructor(hasAccount: boolean, connection: () => Connection) {
    this.#hasAccount = hasAccount;
    this.#connection = connection;
  }

  get state(): State {
    return this.#state;
  }

  get isLive(): boolean {
    return this.#state.name === 'live';
  }

  /** There was a connection. */
  get hasEntered(): boolean {
    return this.#hasEntered;
  }

  /** Connecting for the first time. */
  get isEntering(): boolean {
    return !this.#hasEntered && (this.#state.name === 'idle' || this.#state.name === 'connecting');
  }

  /** Why a guest was never admitted. Then there is no conversation to show, and another name may help. */
  get refusedEntry(): Failure | null {
    if (this.#hasEntered || this.#hasAccount || this.#state.name !== 'refused') return null;
    return this.#state.failure;
  }

  /** The most characters that a message may have. */
  get textLimit(): number {
    return this.#textLimit;
  }

  open(): void {
    this.#connection().open();
  }

  close(): void {
    this.#connection().close();
  }

  networkUp(): void {
    this.#connection().networkUp();
  }

  networkDown(): void {
    this.#connection().networkDown();
  }

  changed(state: State): void {
    this.#state = state;
    this.#hasEntered ||= state.name === 'live';
  }

  limited({ text }: Limits): void {
    this.#textLimit = text;
  }
}
