/**
 * Who is in a room. Large rooms send only a number, so the number and the list are separate. An event may follow a list
 * that contains it already: then it moves nobody.
 */
import { SvelteMap } from 'svelte/reactivity';
import { fold, type OnlineUser } from 'hubbub-client';
import type { Me } from './text';

const names = new Intl.Collator();

export class People {
  /** By folded key. */
  #byKey = new SvelteMap<string, OnlineUser>();
  #online = $state(0);

  readonly list: readonly OnlineUser[] = $derived(
    [...this.#byKey.values()].sort((a, b) => names.compare(a.name, b.name)),
  );

  get online(): number {
    return this.#online;
  }

  /** Online, but not named by the server. */
  get unnamed(): number {
    return Math.max(0, this.#online - this.#byKey.size);
  }

  /** Of a person who has left, only the key is known. */
  nameOf(user: string): string {
    return this.#byKey.get(fold(user))?.name ?? user;
  }

  startOver(users: readonly OnlineUser[], online: number): void {
    this.#byKey.clear();
    for (const person of users) this.#byKey.set(fold(person.user), person);
    this.#online = online;
  }

  /** Returns false for somebody who is in the list. */
  came(person: OnlineUser, online: number): boolean {
    const isNew = !this.#byKey.has(fold(person.user));
    this.#byKey.set(fold(person.user), person);
    this.#online = online;
    return isNew;
  }

  /** Returns false for somebody who is not in the list. */
  went(user: string, online: number): boolean {
    this.#online = online;
    return this.#byKey.delete(fold(user));
  }

  counted(online: number): void {
    this.#online = online;
  }
}

/** Also if the list does not hold oneself: it may be a part of a long one. */
export function meFirst(people: readonly OnlineUser[], { user, name }: Me): OnlineUser[] {
  return [{ user, name }, ...people.filter((person) => fold(person.user) !== fold(user))];
}
