import { expect, it } from 'vitest';
import { scoreOf, search } from '../src/models/fuzzy';

const find = (query: string, ...names: string[]) => search(names, (name) => name, query);

it('finds letters in their order, without case and accents', () => {
  expect(find('gnl', 'general', 'kitchen')).toEqual(['general']);
  expect(find('CAFE', 'café')).toEqual(['café']);
  expect(scoreOf('general', 'lg')).toBeNull();
});

it('puts beginnings of words first, and then shorter names', () => {
  expect(find('ops', 'laptops', 'team-ops', 'ops')).toEqual(['ops', 'team-ops', 'laptops']);
  expect(find('ge', 'general-talk', 'general')).toEqual(['general', 'general-talk']);
});

it('finds everything, in its order, if nothing was typed', () => {
  expect(find(' ', 'bb', 'aa')).toEqual(['bb', 'aa']);
});
