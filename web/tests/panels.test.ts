import { describe, expect, it } from 'vitest';
import { ACCOUNT_WORDS } from '../src/words/account';
import { ADMIN_WORDS } from '../src/words/admin';
import { TAGS } from '../src/words/language.svelte';
import { deviceOf, meaningOf, SETTINGS_WORDS } from '../src/words/settings';
import { sentencesIn } from './sentences';

const CATALOGUES: [string, Record<string, object>][] = [
  ['accounts', ACCOUNT_WORDS],
  ['settings', SETTINGS_WORDS],
  ['administration', ADMIN_WORDS],
];
/** The same word in several languages. */
const SAME = new Set(['profile.name', 'name', 'people.admin', 'tabs.server', 'audit.templates.other']);
const SAMPLES: Record<string, unknown[]> = { 'invitations.left': [3], 'devices.on': ['X1', 'X2'] };
const sampleOf = (path: string) => SAMPLES[path] ?? ['X1', 'X2', 'X3'];

describe.each(CATALOGUES)('the words of %s', (_, catalogue) => {
  const english = sentencesIn(catalogue['en'] ?? {}, sampleOf);

  it.each(TAGS.filter((tag) => tag !== 'en'))('are complete in %s', (tag) => {
    const sentences = sentencesIn(catalogue[tag] ?? {}, sampleOf);
    expect(sentences.map(([path]) => path)).toEqual(english.map(([path]) => path));
    const same = sentences.filter(([path, sentence], place) => sentence === english[place]?.[1] && !SAME.has(path));
    expect(same).toEqual([]);
    const named = (sentence = '') => [...new Set(sentence.match(/X\d|\{\w+\}/g))].sort().join();
    expect(sentences.filter(([, sentence], place) => named(sentence) !== named(english[place]?.[1]))).toEqual([]);
  });
});

describe('a refusal', () => {
  it.each(['forbidden', 'conflict', 'invalid', 'not_found', 'rate_limited', 'closed', 'of an application'])(
    'is told without words of the server: %s',
    (code) => {
      for (const tag of TAGS) {
        const sentence = meaningOf({ code, message: 'X1' }, SETTINGS_WORDS[tag]);
        expect(sentence).toMatch(/[.。]$/);
        expect(sentence).not.toContain('X1');
      }
    },
  );
});

it('names a device in the words of the language', () => {
  const said = 'Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0';
  expect(TAGS.map((tag) => deviceOf(said, SETTINGS_WORDS[tag]))).toEqual([
    'Firefox on Linux',
    'Firefox auf Linux',
    'Firefox en Linux',
    'Linux 上的 Firefox',
  ]);
  expect(deviceOf('', SETTINGS_WORDS.en)).toBe('Unknown device');
});
