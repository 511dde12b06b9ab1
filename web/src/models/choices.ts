/** Where a completed word comes from: people of the room, rooms, emoji. */
import { fold } from 'hubbub-client';
import type { Kind } from './completion';
import type { Person } from './names.svelte';
import type { Room } from './room.svelte';
import type { Rooms } from './rooms.svelte';
import type { Me } from './text';

interface Completed {
  id: string;
  name: string;
  /** Further words under which it is found. */
  words: string;
  /** What stands in the text. */
  written: string;
}

export type Choice = Completed & ({ kind: 'person'; user: string } | { kind: 'room' } | { kind: 'emoji' });

export interface Source {
  /** The likeliest first. */
  known(): readonly Choice[];
  /** Milliseconds without a key before it is asked for more. */
  pause: number;
  /** Others with this in their names. */
  more(query: string): Promise<readonly Choice[]>;
}

export type Sources = Readonly<Record<Kind, Source>>;

/** For sources that ask the server. */
const PAUSE = 150;

export function sourcesOf(room: Room, rooms: Rooms, me: Me): Sources {
  const others = (people: readonly Person[]) => people.filter(({ user }) => fold(user) !== fold(me.user));
  let emoji: readonly Choice[] = [];
  return {
    person: {
      known: () => others(peopleOf(room)).map(personChoice),
      pause: PAUSE,
      more: async (query) => others(await room.findPeople(query)).map(personChoice),
    },
    room: {
      known: () => rooms.list.map(({ key, name }) => roomChoice(key, name)),
      pause: PAUSE,
      more: async (query) => (await rooms.find(query)).map((listed) => roomChoice(listed.room, listed.name)),
    },
    emoji: {
      known: () => emoji,
      pause: 0,
      more: async () => (emoji = (await import('./emoji')).EMOJI),
    },
  };
}

/** Those who spoke last come first, also those who have left. */
function peopleOf({ timeline, people }: Room): Person[] {
  const byKey = new Map<string, Person>();
  const spoke = timeline.lines.filter((line) => line.kind === 'said').reverse();
  for (const person of [...spoke, ...people.list]) {
    if (!byKey.has(fold(person.user))) byKey.set(fold(person.user), person);
  }
  return [...byKey.values()];
}

function personChoice({ user, name }: Person): Choice {
  return { kind: 'person', id: `person-${fold(user)}`, user, name, words: user, written: `@${user}` };
}

function roomChoice(key: string, name: string): Choice {
  return { kind: 'room', id: `room-${fold(key)}`, name, words: key, written: `#${key}` };
}
