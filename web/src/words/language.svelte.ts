/**
 * Chooses the language of the page, and gives its words to all other parts. English is always here, without the words that
 * are needed later; the others are loaded.
 */
import type { Remembered } from '../models/storage';
import { en, type Catalogue, type Words } from './en';
import { formatsIn, type Formats } from './formats';
import type { laterEn } from './later-en';

interface Entry {
  /** In the language itself, so that those who need it can read it. */
  name: string;
  direction: 'ltr' | 'rtl';
  load: () => Catalogue | Promise<Catalogue>;
}

let rest: typeof laterEn | undefined;

/** Sections of `laterEn` may complete sections of `en`. What shows its words is loaded with them. */
export function english(formats: Formats): Words {
  const sections: Record<string, object> = en(formats);
  for (const [name, section] of Object.entries(rest?.(formats) ?? {}))
    sections[name] = { ...sections[name], ...section };
  return sections as Words;
}

/** The parts that are needed later are here. */
export function completeEnglish(later: typeof laterEn): void {
  rest = later;
  if (spoken.tag === 'en') spoken = { ...spoken, words: english(spoken.formats) };
}

/** By the tag for `<html lang>`. */
export const LANGUAGES = {
  en: { name: 'English', direction: 'ltr', load: () => english },
  de: { name: 'Deutsch', direction: 'ltr', load: async () => (await import('./de')).de },
  es: { name: 'Español', direction: 'ltr', load: async () => (await import('./es')).es },
  'zh-Hans': { name: '中文', direction: 'ltr', load: async () => (await import('./zh')).zh },
} as const satisfies Record<string, Entry>;

export type Tag = keyof typeof LANGUAGES;

export const TAGS = Object.keys(LANGUAGES) as Tag[];

interface Spoken {
  tag: Tag;
  words: Words;
  formats: Formats;
}

let spoken = $state.raw<Spoken>(spokenIn('en', english, 'en'));

/** What the page says. Components that read it follow the language. */
export function words(): Words {
  return spoken.words;
}

export function formats(): Formats {
  return spoken.formats;
}

export class Language {
  readonly #remembered: Pick<Remembered, 'language'>;
  readonly #preferred: readonly string[];
  #wanted: Tag = 'en';
  #isReady = $state(false);

  /** `preferred`: the browser's languages, the best first. */
  constructor(remembered: Pick<Remembered, 'language'>, preferred: readonly string[]) {
    this.#remembered = remembered;
    this.#preferred = preferred;
    void this.#speak(TAGS.find((tag) => tag === remembered.language) ?? firstOf(preferred));
  }

  /** False until the words have been loaded, or could not be. */
  get isReady(): boolean {
    return this.#isReady;
  }

  get tag(): Tag {
    return spoken.tag;
  }

  get direction(): Entry['direction'] {
    return LANGUAGES[spoken.tag].direction;
  }

  async choose(tag: Tag): Promise<void> {
    this.#remembered.language = tag;
    await this.#speak(tag);
  }

  async #speak(tag: Tag): Promise<void> {
    this.#wanted = tag;
    try {
      const catalogue = await LANGUAGES[tag].load();
      if (this.#wanted === tag) spoken = spokenIn(tag, catalogue, localeOf(tag, this.#preferred));
    } catch (error) {
      console.warn('The words of another language cannot be loaded:', error);
    }
    this.#isReady = true;
  }
}

function spokenIn(tag: Tag, catalogue: Catalogue, locale: string): Spoken {
  const formats = formatsIn(locale);
  return { tag, words: catalogue(formats), formats };
}

function firstOf(preferred: readonly string[]): Tag {
  for (const locale of preferred) {
    const tag = TAGS.find((known) => isSameLanguage(known, locale));
    if (tag !== undefined) return tag;
  }
  return 'en';
}

/** The user's own form of the language: Britons and Americans write dates in different ways. */
function localeOf(tag: Tag, preferred: readonly string[]): string {
  return preferred.find((locale) => isSameLanguage(tag, locale)) ?? tag;
}

function isSameLanguage(one: string, other: string): boolean {
  return one.split('-')[0] === other.toLowerCase().split('-')[0];
}
