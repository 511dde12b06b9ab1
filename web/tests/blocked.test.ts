import { expect, it } from 'vitest';
import { Blocked } from '../src/models/blocked.svelte';
import type { Person } from '../src/models/names.svelte';

const bob = { user: 'Bob', name: 'Bob B.' };
const carol = { user: 'carol', name: 'Carol' };

/** What two tabs of one browser store. */
function shelf() {
  let stored: readonly Person[] = [];
  return { entry: 'blocked', load: () => [...stored], keep: (people: readonly Person[]) => (stored = people) };
}

it('blocks a person by the key, however it is written, and forgets it again', () => {
  const blocked = new Blocked(shelf());
  blocked.block(bob);
  expect(blocked.has('bob')).toBe(true);
  expect(blocked.list).toEqual([bob]);
  blocked.unblock('BOB');
  expect(blocked.has('bob')).toBe(false);
});

it('keeps what another tab has stored', () => {
  const store = shelf();
  const [one, other] = [new Blocked(store), new Blocked(store)];
  one.block(bob);
  other.block(carol);
  one.storedElsewhere('blocked');
  expect(one.list).toEqual([bob, carol]);
  expect(new Blocked(store).has('carol')).toBe(true);
});

it('shows the rows that the user wants to see, and no others', () => {
  const blocked = new Blocked(shelf());
  blocked.block(bob);
  blocked.show(['seq 1', 'seq 2']);
  expect(['seq 1', 'seq 2', 'seq 3'].map((row) => blocked.hides(row, 'bob'))).toEqual([false, false, true]);
});
