/** All words are in the catalogue: components and models hold none. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const SOURCES = fileURLToPath(new URL('../src/', import.meta.url));
const files = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' });

/** The name of the product is the same in all languages. */
const NAMES = /\bHubbub\b/g;
const SPOKEN_ATTRIBUTE = /\b(?:aria-label|aria-description|title|placeholder|label|alt|nothing)="[^"{]*\p{L}/u;
const QUOTED_WORDS = /(['"`])\p{Lu}\p{Ll}*(?: [^'"`]*)?\1/u;
const QUOTED_SENTENCE = /['"`]\p{Lu}\p{Ll}*(?:'\p{Ll}+)?,? [\p{L}#]/u;

/** The template without scripts, styles and comments. */
function templateOf(source: string): string {
  return source.replace(/<script[\s\S]*?<\/script>|<style[\s\S]*?<\/style>|<!--[\s\S]*?-->/g, '').replace(NAMES, '');
}

/** What is between the tags: without the expressions in braces, which may hold braces themselves. */
function textIn(template: string): string {
  let text = template;
  while (/\{[^{}]*\}/.test(text)) text = text.replace(/\{[^{}]*\}/g, '');
  return text.replace(/<[^>]*>/g, ' ').trim();
}

describe.each(files.filter((file) => file.endsWith('.svelte')))('%s', (file) => {
  const template = templateOf(readFileSync(SOURCES + file, 'utf8'));

  it('holds no words between its tags', () => {
    expect(textIn(template)).not.toMatch(/\p{L}/u);
  });

  it('holds no words in its attributes and expressions', () => {
    expect(template).not.toMatch(SPOKEN_ATTRIBUTE);
    expect(template).not.toMatch(QUOTED_WORDS);
  });
});

it.each(files.filter((file) => /\.(ts|svelte)$/.test(file) && !file.startsWith('words/')))(
  '%s says no sentences',
  (file) => {
    const code = readFileSync(SOURCES + file, 'utf8').replace(NAMES, '');
    // What a developer reads in the browser's console is in English.
    const lines = code.split('\n').filter((line) => !/^\s*(\/\/|\/?\*)|^<script|console\.|throw new Error/.test(line));
    expect(lines.filter((line) => QUOTED_SENTENCE.test(line))).toEqual([]);
  },
);

it('finds words, wherever they are', () => {
  expect(textIn(templateOf('<p>{#if a}{f({ b })}Hello{/if}</p>'))).toMatch(/\p{L}/u);
  expect('<input placeholder="Name" />').toMatch(SPOKEN_ATTRIBUTE);
  expect("{isCopied ? 'Copied' : ''}").toMatch(QUOTED_WORDS);
  expect("tell('Something went wrong.')").toMatch(QUOTED_SENTENCE);
});
