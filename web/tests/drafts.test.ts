import { beforeEach, expect, it } from 'vitest';
import { Composing } from '../src/models/composing.svelte';
import type { Stored } from '../src/models/lines';
import { Remembered, type Store } from '../src/models/storage';

let device: Map<string, string>;
let remembered: Remembered;
let isFull: boolean;
let now: number;

function storeOf(entries: Map<string, string>): Store {
  return {
    getItem: (name) => entries.get(name) ?? null,
    setItem: (name, value) => {
      if (isFull) throw new DOMException('full', 'QuotaExceededError');
      entries.set(name, value);
    },
    removeItem: (name) => void entries.delete(name),
    key: (index) => [...entries.keys()][index] ?? null,
    get length() {
      return entries.size;
    },
  };
}

beforeEach(() => {
  isFull = false;
  now = 0;
  device = new Map();
  remembered = new Remembered({ tab: storeOf(new Map()), device: storeOf(device), scope: '/' });
});

const draftOf = (room: string, name = 'alice') => remembered.draftOf(name, room, () => (now += 1));

it('is kept for each person and room', () => {
  draftOf('Hall').keep('for the hall');
  draftOf('hall', 'bob').keep('of bob');
  expect([draftOf('hall').load(), draftOf('hall', 'bob').load(), draftOf('yard').load()]).toEqual([
    'for the hall',
    'of bob',
    '',
  ]);
});

it('is forgotten when it is sent', () => {
  const composing = new Composing(draftOf('hall'));
  composing.draft = 'half a sent';
  expect(new Composing(draftOf('hall')).draft).toBe('half a sent');
  composing.done();
  expect(device.size).toBe(0);
});

it('replaces the oldest of at most fifty', () => {
  for (let room = 1; room <= 60; room += 1) draftOf(`room${room}`).keep('a draft');
  draftOf('room30').keep('a newer draft');
  draftOf('room61').keep('a draft');
  expect(device.size).toBe(50);
  expect(['room11', 'room12', 'room30', 'room61'].map((room) => draftOf(room).load())).toEqual([
    '',
    'a draft',
    'a newer draft',
    'a draft',
  ]);
});

it('is lost, and nothing more, if the storage is full or holds nonsense', () => {
  draftOf('hall').keep('first');
  isFull = true;
  const composing = new Composing(draftOf('hall'));
  composing.draft = 'more';
  expect(composing.draft).toBe('more');
  for (const name of device.keys()) device.set(name, '{"text": 7');
  expect(draftOf('hall').load()).toBe('');
});

it('follows what another tab of the person writes and sends', () => {
  const [here, there] = [new Composing(draftOf('hall')), new Composing(draftOf('hall'))];
  const { entry } = draftOf('hall');
  there.draft = 'half a sent';
  here.storedElsewhere(draftOf('yard').entry);
  expect(here.draft).toBe('');
  here.storedElsewhere(entry);
  expect(here.draft).toBe('half a sent');
  there.done();
  here.storedElsewhere(entry);
  expect(here.draft).toBe('');
});

it('of another tab waits until an edit is over', () => {
  const [here, there] = [new Composing(draftOf('hall')), new Composing(draftOf('hall'))];
  here.draft = 'half a sent';
  here.edit({ text: 'old words' } as Stored);
  there.done();
  here.storedElsewhere(draftOf('hall').entry);
  expect(here.draft).toBe('old words');
  here.cancelEdit();
  expect(here.draft).toBe('');
});
