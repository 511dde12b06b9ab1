import { describe, expect, it } from 'vitest';
import { de } from '../src/words/de';
import { formatsIn } from '../src/words/formats';
import { Language } from '../src/words/language.svelte';
import { durationIn, MANAGING_WORDS, refusalOf, untilIn, type ManagingWords } from '../src/words/managing';

/** Names, which are the same in some languages. */
const SAME = ['reports.by', 'newRoom.name', 'person.inRoom'];

function sentencesIn(group: object, path = ''): [string, string][] {
  return Object.entries(group).flatMap(([name, entry]: [string, unknown]): [string, string][] => {
    const here = path === '' ? name : `${path}.${name}`;
    if (typeof entry === 'string') return [[here, entry]];
    if (typeof entry === 'function') return [[here, String(entry('X1', 'X2'))]];
    return sentencesIn(entry as object, here);
  });
}

const english = sentencesIn(MANAGING_WORDS.en);

describe.each(Object.entries(MANAGING_WORDS).filter(([tag]) => tag !== 'en'))('the words in %s', (_, said) => {
  it('are not those of English', () => {
    const others = new Map(sentencesIn(said));
    expect(english.filter(([path, text]) => others.get(path) === text && !SAME.includes(path))).toEqual([]);
    expect([...others.values()].filter((text) => text.trim() === '')).toEqual([]);
  });
});

describe('a refusal', () => {
  const refusal = (code: string, asked: Parameters<typeof refusalOf>[1], said: ManagingWords = MANAGING_WORDS.de) =>
    refusalOf({ code, message: 'you may not do this' }, asked, said);

  it.each([
    ['conflict', 'create', 'Einen Raum mit diesem Namen gibt es schon. Wähle einen anderen.'],
    ['conflict', 'invite', 'Diese Person ist aus dem Raum verbannt. Heb zuerst den Bann auf.'],
    ['conflict', 'leave', 'Gib den Raum zuerst jemand anderem.'],
    ['forbidden', 'person', 'Das darfst du nur bei Leuten, deren Rolle unter deiner steht.'],
    ['forbidden', 'change', 'Das darfst du hier nicht.'],
    ['not_found', 'invite', 'So jemanden gibt es hier nicht, oder sie oder er hat noch nichts gesagt.'],
    ['closed', 'change', 'Der Server antwortet nicht. Versuch es noch einmal.'],
  ] as const)('with %s to "%s" is a sentence of the language', (code, asked, sentence) => {
    expect(refusal(code, asked)).toBe(sentence);
  });

  it('has no English in any language', async () => {
    const language = new Language({ language: 'de' }, []);
    await language.choose('de');
    expect(refusal('rate_limited', 'change')).toBe(de(formatsIn('de')).failures.codes.rate_limited);
    await language.choose('en');
  });
});

it('says for how long and until when', () => {
  expect([5, 60, 300, 7200].map((seconds) => durationIn('en', seconds))).toEqual([
    '5 seconds',
    '60 seconds',
    '5 minutes',
    '2 hours',
  ]);
  expect(untilIn(MANAGING_WORDS.en, 'for_ever')).toBe('for ever');
  expect(untilIn(MANAGING_WORDS.en, '2020-03-04T12:00:00Z')).toMatch(/^until 4 March 2020|^until March 4, 2020/);
});
