/** The parts of the first load show no words and no icons that come with the later ones. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { LATER } from '../src/components/ui/later-icons';
import { formatsIn } from '../src/words/formats';
import { laterEn } from '../src/words/later-en';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const IMPORTED = /^\s*(?:import|export) (?!type )(?:[^;]*? from )?'(\.[^']+)'/gm;

/** The files that are loaded with the first one: what it imports, and what these import. */
function loadedWith(first: string): Map<string, string> {
  const files = new Map<string, string>();
  const next = [first];
  for (let file = next.pop(); file !== undefined; file = next.pop()) {
    if (files.has(file)) continue;
    const text = readFileSync(file, 'utf8');
    files.set(file, text);
    for (const [, path = ''] of text.matchAll(IMPORTED)) {
      const found = ['', '.ts'].map((ending) => resolve(dirname(file as string), path + ending)).find(existsSync);
      if (found !== undefined) next.push(found);
    }
  }
  return files;
}

const first = loadedWith(MAIN);

/** What the files of the first load have in common with a list. */
function usedOf(names: readonly string[]): string[] {
  const files = [...first].filter(([file]) => !file.includes('/words/') && /\.(svelte|ts)$/.test(file));
  // A long expression goes on in the next line.
  const texts = files.map(([, text]) => text.replace(/\s+/g, ''));
  return names.filter((name) => texts.some((text) => text.includes(name)));
}

it('finds the parts of the first load', () => {
  const names = [...first.keys()].map((file) => file.split('/').at(-1));
  expect(names).toEqual(expect.arrayContaining(['App.svelte', 'ChatPage.svelte', 'Timeline.svelte', 'keys.ts']));
  expect(names).not.toContain('later-en.ts');
  expect(usedOf(['words().timeline.label'])).toHaveLength(1);
});

it('shows no words that come later', () => {
  const later = Object.entries(laterEn(formatsIn('en'))).flatMap(([section, entries]) =>
    Object.keys(entries).map((entry) => `words().${section}.${entry}`),
  );
  expect(usedOf(later)).toEqual([]);
});

it('shows no icons that come later', () => {
  const later = Object.keys(LATER).flatMap((name) => [`icon="${name}"`, `<Iconname="${name}"`]);
  expect(usedOf(later)).toEqual([]);
});
