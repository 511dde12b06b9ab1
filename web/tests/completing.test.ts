import { beforeEach, describe, expect, it } from 'vitest';
import { HandClock } from '../../clients/typescript/tests/world';
import type { Choice, Sources } from '../src/models/choices';
import { Completing } from '../src/models/completing.svelte';
import { insertionOf, wordAt } from '../src/models/completion';
import { EMOJI } from '../src/models/emoji';

/** The text with a `|` where the caret is. */
function at(marked: string): [text: string, caret: number] {
  return [marked.replace('|', ''), marked.indexOf('|')];
}

describe('the word at the caret', () => {
  it.each([
    ['@|', 'person', ''],
    ['ask @bo|', 'person', 'bo'],
    ['(@Zoë|', 'person', 'Zoë'],
    ['@ada@example.com|', 'person', 'ada@example.com'],
    ['first\n@bo| next', 'person', 'bo'],
    ['＠田中|', 'person', '田中'],
    ['in #team-o|', 'room', 'team-o'],
    ['＃hall|', 'room', 'hall'],
    ['yes :th|', 'emoji', 'th'],
    [':+1|', 'emoji', '+1'],
    ['🎉：ta|', 'emoji', 'ta'],
  ])('of %s is looked for', (marked, kind, query) => {
    expect(wordAt(...at(marked))).toMatchObject({ kind, query, isClosed: false });
  });

  it.each([
    'ada@example|',
    'https://host/#hall|',
    'C#|',
    '#hall |',
    '@|bob',
    'b|',
    ':)|',
    ':D|',
    '12:30|',
    'https:|',
    'https://ex|',
    '@bob:\n|',
    `@${'a'.repeat(65)}|`,
  ])('%s is no name', (marked) => {
    expect(wordAt(...at(marked))).toBeNull();
  });
});

describe('what is taken', () => {
  const taken = (marked: string, written: string) => {
    const [text, caret] = at(marked);
    const word = wordAt(text, caret);
    if (word === null) throw new Error('There is no word.');
    const { start, end, text: inserted } = insertionOf(word, written, text);
    return `${text.slice(0, start)}${inserted}|${text.slice(end)}`;
  };

  it('replaces the word, and a blank follows', () => {
    expect(taken('ask @bo|', '@bob')).toBe('ask @bob |');
    expect(taken('@bo|\nnext', '@bob')).toBe('@bob |\nnext');
  });

  it('uses the blank that is there', () => {
    expect(taken('@bo| knows', '@bob')).toBe('@bob |knows');
  });

  it('adds no blank after a second colon', () => {
    expect(taken('done :tada:|', '🎉')).toBe('done 🎉|');
  });
});

describe('completing', () => {
  const choice = (kind: 'person' | 'room', key: string, name: string): Choice =>
    kind === 'person'
      ? { kind, id: `person-${key}`, user: key, name, words: key, written: `@${key}` }
      : { kind, id: `room-${key}`, name, words: key, written: `#${key}` };

  let clock: HandClock;
  let asked: string[];
  let known: Choice[];
  let completing: Completing;
  let answer: () => Promise<readonly Choice[]>;

  beforeEach(() => {
    clock = new HandClock();
    asked = [];
    known = [choice('person', 'bob', 'Bob'), choice('person', 'ada-1', 'Ada King'), choice('person', 'carol', 'Carol')];
    answer = () => Promise.resolve([]);
    const source = (all: () => readonly Choice[]) => ({
      known: all,
      pause: 150,
      more: (query: string) => {
        asked.push(query);
        return answer();
      },
    });
    const sources: Sources = { person: source(() => known), room: source(() => []), emoji: source(() => EMOJI) };
    completing = new Completing(sources, clock);
  });

  const write = (marked: string) => completing.wrote(...at(marked));
  const names = () => completing.choices.map(({ name }) => name);
  /** Lets pending promises settle. */
  const settled = () => new Promise((resolve) => setTimeout(resolve));

  it('offers those whose name or key has the letters in one piece, the best first', () => {
    write('@|');
    expect(names()).toEqual(['Bob', 'Ada King', 'Carol']);
    write('@a|');
    expect(names()).toEqual(['Ada King', 'Carol']);
    write('@king|');
    expect(names()).toEqual(['Ada King']);
    write('@bl|');
    expect(names()).toEqual([]);
  });

  it('marks the first, and moves in a circle', () => {
    write('@|');
    const marked = [completing.marked?.name];
    for (const by of [1, 1, 1, -1] as const) {
      completing.step(by);
      marked.push(completing.marked?.name);
    }
    expect(marked).toEqual(['Bob', 'Ada King', 'Carol', 'Bob', 'Carol']);
  });

  it('keeps the order while a word is written, whoever speaks', () => {
    write('@|');
    known = [choice('person', 'zoe', 'Zoe'), ...known];
    write('@o|');
    expect(names()).toEqual(['Bob', 'Carol']);
  });

  it('asks for more when the user pauses, and shows what comes below', async () => {
    answer = () => Promise.resolve([choice('person', 'bo', 'Bo'), choice('person', 'bob', 'Bob')]);
    write('@b|');
    clock.pass(100);
    write('@bo|');
    clock.pass(149);
    expect(asked).toEqual([]);
    clock.pass(1);
    await settled();
    expect(asked).toEqual(['bo']);
    expect(names()).toEqual(['Bob', 'Bo']);
    write('@bob|');
    expect(names()).toEqual(['Bob']);
  });

  it('ignores an answer that comes too late', async () => {
    let respond: (more: readonly Choice[]) => void = () => {};
    answer = () => new Promise((resolve) => (respond = resolve));
    write('@bo|');
    clock.pass(150);
    write('done |');
    respond([choice('person', 'bo', 'Bo')]);
    await settled();
    expect(names()).toEqual([]);
  });

  it('goes on with what is known if nobody answers', async () => {
    answer = () => Promise.reject(new Error('unreachable'));
    write('@bo|');
    clock.pass(150);
    await settled();
    expect(names()).toEqual(['Bob']);
  });

  it('leaves a dismissed word alone, and offers choices for the next one', () => {
    write('@b|');
    expect(completing.dismiss()).toBe(true);
    expect(completing.dismiss()).toBe(false);
    write('@bo|');
    expect(names()).toEqual([]);
    write('@bo and @c|');
    expect(names()).toEqual(['Carol']);
  });

  it('forgets that it was dismissed when the text is sent', () => {
    write('@b|');
    completing.dismiss();
    completing.follow('');
    write('@b|');
    expect(names()).toEqual(['Bob']);
  });

  it('ends when the caret goes elsewhere or the text is replaced', () => {
    write('ask @b|');
    completing.moved('ask @b', 6);
    expect(names()).toEqual(['Bob']);
    completing.moved('ask @b', 2);
    expect(names()).toEqual([]);
    write('ask @bo|');
    completing.follow('an earlier message');
    expect(names()).toEqual([]);
  });

  it('finds emoji by their names and by other words, those with the name first', () => {
    write(':hea|');
    expect(completing.choices[0]?.written).toBe('❤️');
    write(':launch|');
    expect(completing.marked?.written).toBe('🚀');
    expect(completing.finished).toBeUndefined();
    write(':celebrate:|');
    expect(completing.finished?.written).toBe('🥳');
    write(':tada:|');
    expect(completing.finished?.written).toBe('🎉');
    write(':tad:|');
    expect(completing.finished).toBeUndefined();
  });
});

describe('the table of emoji', () => {
  it('has one emoji and one name in each line', () => {
    const isEmoji = new RegExp(String.raw`^\p{RGI_Emoji}$`, 'v');
    expect(EMOJI.filter(({ written, name }) => !isEmoji.test(written) || !/^[a-z0-9_]{2,32}$/.test(name))).toEqual([]);
    expect(new Set(EMOJI.map(({ name }) => name)).size).toBe(EMOJI.length);
    expect(new Set(EMOJI.map(({ written }) => written)).size).toBe(EMOJI.length);
  });
});
