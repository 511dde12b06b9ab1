/** Who the user is on this server, and the secret that proves it on the next connection. */
import type { Welcome } from 'hubbub-client';
import type { Remembered } from './storage';
import type { Me } from './text';

export class Identity implements Me {
  /** The name under which the user came in. */
  readonly chosenName: string;
  readonly #hasAccount: boolean;
  readonly #remembered: Remembered;
  #user = $state('');
  #name = $state('');
  #isGuest = $state(false);
  #isAdmin = $state(false);
  /** On a device that stores nothing, a reconnect must not make another guest. */
  #secret: string | null = null;

  constructor(chosenName: string, hasAccount: boolean, remembered: Remembered) {
    this.chosenName = chosenName;
    this.#hasAccount = hasAccount;
    this.#remembered = remembered;
    this.#user = chosenName;
    this.#name = chosenName;
    this.#isGuest = !hasAccount;
  }

  get user(): string {
    return this.#user;
  }

  get name(): string {
    return this.#name;
  }

  get isGuest(): boolean {
    return this.#isGuest;
  }

  /** Of this server. */
  get isAdmin(): boolean {
    return this.#isAdmin;
  }

  proof(): string | null {
    if (this.#hasAccount) return null;
    this.#secret = this.#remembered.secretOf(this.chosenName) ?? this.#secret;
    return this.#secret;
  }

  welcomed({ user, name, guest, role, secret }: Welcome): void {
    this.#user = user;
    this.#name = name;
    this.#isGuest = guest === true;
    this.#isAdmin = role === 'admin';
    if (secret === undefined) return;
    this.#secret = secret;
    this.#remembered.keepSecret(this.chosenName, secret);
  }

  /** The server does not know the secret. Returns false if there was none. */
  forgetSecret(): boolean {
    if (this.#secret === null) return false;
    // Another tab may have been a new guest first.
    if (this.#remembered.secretOf(this.chosenName) === this.#secret) this.#remembered.keepSecret(this.chosenName, null);
    this.#secret = null;
    return true;
  }
}
