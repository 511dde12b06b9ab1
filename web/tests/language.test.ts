import { beforeEach, expect, it } from 'vitest';
import { formats, Language, words } from '../src/words/language.svelte';

let remembered: { language: string | null };

beforeEach(() => {
  remembered = { language: null };
});

async function languageOf(...preferred: string[]): Promise<Language> {
  const language = new Language(remembered, preferred);
  await expect.poll(() => language.isReady).toBe(true);
  return language;
}

it("is the first of the browser's languages that the page has", async () => {
  expect((await languageOf('fr-FR', 'de-CH', 'en')).tag).toBe('de');
  expect(words().people.you).toBe('du');
  expect((await languageOf('zh-CN')).tag).toBe('zh-Hans');
  expect((await languageOf('fr-FR')).tag).toBe('en');
  expect((await languageOf()).tag).toBe('en');
});

it("keeps the form of the user's region", async () => {
  const date = new Date(2026, 2, 3).getTime();
  const now = new Date(2026, 10, 20).getTime();
  await languageOf('en-GB', 'de-DE');
  expect(formats().dayOf(date, now)).toBe('Tuesday 3 March');
  await languageOf('de-DE', 'en-US');
  expect(formats().dayOf(date, now)).toBe('Dienstag, 3. März');
});

it('is what the user chose, also the next time', async () => {
  const language = await languageOf('en-US');
  await language.choose('es');
  expect(words().people.you).toBe('tú');
  expect(remembered.language).toBe('es');
  expect((await languageOf('en-US')).tag).toBe('es');
});

it('is that of the last choice, whichever words come first', async () => {
  const language = await languageOf('en-US');
  await Promise.all([language.choose('zh-Hans'), language.choose('de'), language.choose('en')]);
  expect(language.tag).toBe('en');
});

it('is not one that this page does not have', async () => {
  remembered.language = 'constructor';
  expect((await languageOf('es')).tag).toBe('es');
});
