import { expect, it } from 'vitest';
import { hue, initials } from '../src/models/person';

it.each([
  ['alice', 'A'],
  ['Ada King Lovelace', 'AL'],
  ['борис', 'Б'],
  ['👩‍🚀 Sam', '👩‍🚀S'],
  ['guest-x7k2', 'GX'],
])('%s is shown as %s', (name, letters) => {
  expect(initials(name)).toBe(letters);
});

it('people have the same colour under each spelling of their key', () => {
  expect(hue('Alice')).toBe(hue('alice'));
  expect(hue('alice')).not.toBe(hue('bob'));
});
