/** People of whom the user wants to hear nothing. Only this browser knows: the server sends everybody the same. */
import { fold } from 'hubbub-client';
import type { Person } from './names.svelte';
import type { BlockedStore } from './storage';

export class Blocked {
  readonly #store: BlockedStore;
  #list = $state.raw<readonly Person[]>([]);
  readonly #keys: ReadonlySet<string> = $derived(new Set(this.#list.map(({ user }) => fold(user))));
  /** Rows of blocked people that the user wants to see nevertheless, by their ids. */
  #shown = $state.raw<ReadonlySet<string>>(new Set());

  constructor(store: BlockedStore) {
    this.#store = store;
    this.#list = store.load();
  }

  get list(): readonly Person[] {
    return this.#list;
  }

  has(user: string): boolean {
    return this.#keys.has(fold(user));
  }

  /** Another tab may have changed the list meanwhile. */
  block({ user, name }: Person): void {
    this.#keep([...this.#store.load().filter((other) => fold(other.user) !== fold(user)), { user, name }]);
  }

  unblock(user: string): void {
    this.#keep(this.#store.load().filter((other) => fold(other.user) !== fold(user)));
  }

  /** Whether the message in this row is folded away. */
  hides(row: string, user: string): boolean {
    return this.has(user) && !this.#shown.has(row);
  }

  show(rows: readonly string[]): void {
    this.#shown = new Set([...this.#shown, ...rows]);
  }

  storedElsewhere(entry: string | null): void {
    if (entry === this.#store.entry) this.#list = this.#store.load();
  }

  #keep(list: readonly Person[]): void {
    this.#store.keep(list);
    this.#list = list;
  }
}
