import { newKey } from 'hubbub-client';
import { expect, it } from 'vitest';

const NOW = Date.UTC(2026, 10, 20);

it('makes keys that the server accepts, all different', () => {
  const keys = Array.from({ length: 1000 }, () => newKey(NOW));
  expect(new Set(keys).size).toBe(1000);
  for (const key of keys) expect(key).toMatch(/^[!-~]{8,64}$/);
});

it('makes keys in the order of time', () => {
  const keys = Array.from({ length: 100 }, (_, index) => newKey(NOW + index));
  expect(keys.toSorted()).toEqual(keys);
});
