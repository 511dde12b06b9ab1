import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { generate, TYPES } from '../../../web/scripts/types.mjs';

it("has the types of the server's schema (otherwise run: npm run types)", async () => {
  expect(await readFile(TYPES, 'utf8')).toBe(await generate());
});
