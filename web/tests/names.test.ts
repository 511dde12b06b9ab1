import { expect, it } from 'vitest';
import { Names } from '../src/models/names.svelte';

const alice = { user: 'alice', name: 'alice' };
const other = { user: 'alice-x7k2', name: 'alice' };
const sam = { user: '41', name: 'Sam' };
const namesake = { user: '42', name: 'ＳＡＭ' };

it('shows a name without a key if only one person has it', () => {
  const names = new Names(() => [alice, sam, sam]);
  expect([names.tagOf(alice), names.inFull(sam)]).toEqual([undefined, 'Sam']);
});

it('shows the keys of people whose names look the same', () => {
  const names = new Names(() => [sam, namesake]);
  expect([names.inFull(sam), names.tagOf(namesake)]).toEqual(['Sam (@41)', '@42']);
});

it('shows a made key even if the owner of the name is not here', () => {
  const names = new Names(() => [other]);
  expect([names.tagOf(other), names.tagOf(alice)]).toEqual(['@alice-x7k2', undefined]);
});
