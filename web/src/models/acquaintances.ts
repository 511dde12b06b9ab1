/** Everybody whom the user meets in the rooms of this tab, those of the shown room first. */
import { fold } from 'hubbub-client';
import type { Person } from './names.svelte';
import type { Rooms } from './rooms.svelte';

/** Each once, oneself too. */
export function acquaintancesIn({ current, list }: Pick<Rooms, 'current' | 'list'>): Person[] {
  const byKey = new Map<string, Person>();
  for (const { people, about } of current === null ? list : [current, ...list]) {
    for (const person of [...people.list, ...(about.list ?? [])]) {
      if (!byKey.has(fold(person.user))) byKey.set(fold(person.user), person);
    }
  }
  return [...byKey.values()];
}
