import { describe, expect, it } from 'vitest';
import { de } from '../src/words/de';
import type { Catalogue } from '../src/words/en';
import { es } from '../src/words/es';
import { formatsIn } from '../src/words/formats';
import { completeEnglish, english } from '../src/words/language.svelte';
import { laterEn } from '../src/words/later-en';
import { zh } from '../src/words/zh';
import { sentencesIn } from './sentences';

completeEnglish(laterEn);
const inEnglish = english(formatsIn('en'));
const OTHERS: [string, Catalogue][] = [
  ['de', de],
  ['es', es],
  ['zh-Hans', zh],
];

/** Entries that are the same in several languages: signs, names of keys, and words that a language has borrowed. */
const SAME = new Set([
  'me.state.offline',
  'connection.inSeconds',
  'people.online',
  'keys.names.control',
  'keys.names.alt',
  'keys.names.shift',
  'keys.names.enter',
  'keys.names.escape',
]);

/** Arguments for every function of a catalogue. None of them is a word of a language. */
const SAMPLES: Record<string, unknown[]> = {
  'rooms.unseen': [3, true],
  'timeline.moved': [['X1'], ['X2', 'X3']],
  'message.spoken': [{ who: 'X1', text: '…', time: '12:00', marks: [], answers: 'X2' }],
  'reactions.by': ['👍', ['X1'], 4],
  'composer.typing': [['X1', 'X2']],
  'failures.refused': ['forbidden', 'X1.'],
  'pins.unpin': ['X1', 'X2'],
};
const COUNTS = ['Seconds', 'unseen', 'online', 'more', 'toLatest', 'count'];

const sampleOf = (path: string) => SAMPLES[path] ?? [COUNTS.some((end) => path.endsWith(end)) ? 3 : 'X1'];

const byPath = ([one]: [string, string, number], [other]: [string, string, number]) => (one < other ? -1 : 1);

describe.each(OTHERS)('the words in %s', (locale, catalogue) => {
  const sentences = sentencesIn(catalogue(formatsIn(locale)), sampleOf).sort(byPath);
  const english = sentencesIn(inEnglish, sampleOf).sort(byPath);

  it('have the keys of English, with the same parameters', () => {
    expect(sentences.map(([path]) => path)).toEqual(english.map(([path]) => path));
    const tooMany = sentences.filter(([, , parameters], index) => parameters > (english[index]?.[2] ?? 0));
    expect(tooMany).toEqual([]);
  });

  it('say something everywhere, and nothing in English', () => {
    const silent = sentences.filter(([, sentence]) => sentence.trim() === '' || /undefined|\[object/.test(sentence));
    expect(silent).toEqual([]);
    const same = sentences.filter(([path, sentence], index) => sentence === english[index]?.[1] && !SAME.has(path));
    expect(same).toEqual([]);
  });

  it('say the names and numbers that English says', () => {
    const named = (sentence: string) => [...new Set(sentence.match(/X\d/g))].sort();
    const missing = sentences.filter(
      ([, sentence], index) => named(sentence).join() !== named(english[index]?.[1] ?? '').join(),
    );
    expect(missing).toEqual([]);
  });
});

describe('sentences', () => {
  it('name typists, unless there are many', () => {
    const { typing } = inEnglish.composer;
    expect(typing(['Bob'])).toBe('Bob is typing');
    expect(typing(['Bob', 'Carol'])).toBe('Bob and Carol are typing');
    expect(typing(['a', 'b', 'c', 'd'])).toBe('Several people are typing');
  });

  it('tell who joined and left', () => {
    const { moved } = inEnglish.timeline;
    expect(moved(['Bob', 'Carol'], ['Dan'])).toBe('Bob and Carol joined · Dan left');
    expect(moved(['a', 'b', 'c', 'd', 'e'], [])).toBe('a, b, c, and 2 others joined');
  });

  it('use the plural of the language', () => {
    const german = de(formatsIn('de'));
    expect(german.composer.typing(['Bob'])).toBe('Bob schreibt gerade');
    expect(german.composer.typing(['Bob', 'Carol'])).toBe('Bob und Carol schreiben gerade');
    const spanish = es(formatsIn('es'));
    expect(spanish.pins.count(1)).toBe('1 fijado');
    expect(spanish.pins.count(2)).toBe('2 fijados');
    expect(spanish.timeline.moved(['Ana', 'Inés'], ['Bob'])).toBe('Ana e Inés entraron · Bob salió');
    expect(zh(formatsIn('zh-Hans')).composer.typing(['Bob', 'Carol'])).toBe('Bob和Carol 正在输入');
  });

  it('write large numbers as the reader does', () => {
    expect(inEnglish.people.online(1234)).toBe('1,234 online');
    expect(de(formatsIn('de')).people.online(1234)).toBe('1.234 online');
    expect(inEnglish.timeline.count(100)).toBe('99+ new');
  });
});

describe('days', () => {
  const now = new Date(2026, 10, 20, 12).getTime();
  const dayOf = (locale: string, ...day: [number, number, number]) =>
    formatsIn(locale).dayOf(new Date(...day).getTime(), now);

  it('are named as briefly as possible', () => {
    expect(dayOf('en', 2026, 10, 20)).toBe('Today');
    expect(dayOf('en', 2026, 10, 19)).toBe('Yesterday');
    expect(dayOf('en', 2026, 10, 16)).toBe('Monday');
    expect(dayOf('en-GB', 2026, 10, 3)).toBe('Tuesday 3 November');
    expect(dayOf('en-GB', 2025, 10, 16)).toBe('16 November 2025');
  });

  it('are named in the language', () => {
    expect(dayOf('de', 2026, 10, 20)).toBe('Heute');
    expect(dayOf('es', 2026, 10, 19)).toBe('Ayer');
    expect(dayOf('es', 2026, 10, 16)).toBe('Lunes');
    expect(dayOf('zh-CN', 2025, 10, 16)).toBe('2025年11月16日');
  });
});
