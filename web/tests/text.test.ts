import { describe, expect, it, vi } from 'vitest';
import { isBlank } from '../src/models/text';
import { blocksOf, DEEPEST, type Block } from '../src/text/blocks';
import { highlighted } from '../src/text/highlight';
import { inline, type Inline } from '../src/text/inline';
import { mentions, textOf } from '../src/text/tree';

const TAGS = { bold: 'b', italic: 'i', struck: 's', link: 'a', code: 'c', mention: '@', room: '#' } as const;

/** As tags: `**a**` is `<b>a</b>`. */
function shown(parts: readonly Inline[]): string {
  const tagged = (part: Inline) => {
    if (part.kind === 'text') return part.text;
    const tag = TAGS[part.kind];
    const leadsTo = part.kind === 'link' && part.leadsTo !== null ? `(${part.leadsTo})` : '';
    return `<${tag}>${'parts' in part ? shown(part.parts) : part.text}</${tag}>${leadsTo}`;
  };
  return parts.map(tagged).join('');
}

function outline(block: Block): unknown {
  if (block.kind === 'paragraph') return shown(block.parts);
  if (block.kind === 'code') return { [`code ${block.language}`]: block.text };
  if (block.kind === 'quote') return { quote: block.blocks.map(outline) };
  if (block.kind === 'list') return { [`list ${block.start}`]: block.items.map((item) => item.map(outline)) };
  return { table: [block.head, ...block.rows].map((row) => row.map(shown)), ends: block.ends };
}

const blocks = (text: string) => blocksOf(text).map(outline);

describe('within a line', () => {
  it.each([
    ['a **bold** word', 'a <b>bold</b> word'],
    ['*one* _two_ __three__ ~~four~~', '<i>one</i> <i>two</i> <b>three</b> <s>four</s>'],
    ['***both***', '<b><i>both</i></b>'],
    ['**a *b* c**', '<b>a <i>b</i> c</b>'],
    ['中文**粗体**中文', '中文<b>粗体</b>中文'],
    ['`a **b**` and `` ` ``', '<c>a **b**</c> and <c>`</c>'],
    ['(**a**)', '(<b>a</b>)'],
  ])('%s', (text, expected) => {
    expect(shown(inline(text))).toBe(expected);
  });

  it.each([
    '2 * 3 * 4',
    '2*3*4 = 24',
    'snake_case_name and __init__.py_x',
    '**not closed',
    'a ** b ** c',
    '****',
    '~a~ ~~~b~~~',
    '`not closed',
    '[a] (b) [c]( d )',
    '# a#b &#39; ##c #',
    '<b>no</b> &amp; <script>alert(1)</script>',
  ])('keeps %s as it is', (text) => {
    expect(shown(inline(text)).replace(/<\/?b>(?=init)|(?<=init)<\/?b>/g, '__')).toBe(text);
  });

  it('takes an escaped mark for itself', () => {
    expect(shown(inline(String.raw`\*not italic\* C:\new`))).toBe(String.raw`*not italic* C:\new`);
  });
});

describe('links', () => {
  it.each([
    ['(see https://a.example/b_(c)).', '(see <a>https://a.example/b_(c)</a>).'],
    ['https://a.example!', '<a>https://a.example</a>!'],
    ['**https://a.example**', '<b><a>https://a.example</a></b>'],
    ['[docs](https://a.example/x_y)', '<a>docs</a>'],
    ['[**docs**](https://a.example)', '<a><b>docs</b></a>'],
    ['[mail](mailto:a@b.example)', '<a>mail</a>'],
    ['[[a](https://a.example)](https://b.example)', '[<a>a</a>](https://b.example)'],
  ])('%s', (text, expected) => {
    expect(shown(inline(text))).toBe(expected);
  });

  it.each([
    'javascript:alert(1)',
    '[a](javascript:alert(1))',
    '[a](JaVaScRiPt:alert)',
    '[a](data:text/html,x)',
    '[a](vbscript:x)',
    '[a](file:///etc/passwd)',
    '[a](//a.example)',
    '[a](/local)',
    '[a](java\tscript:x)',
    'ftp://a.example',
    'https://',
  ])('are never made of %s', (text) => {
    expect(shown(inline(text))).not.toContain('<a>');
  });

  it('that show one address and lead to another say so', () => {
    expect(shown(inline('[https://good.example](https://bad.example/x)'))).toContain('(bad.example)');
    expect(shown(inline('[good.example](https://bad.example)'))).toContain('(bad.example)');
    expect(shown(inline('[https://good.example/a](https://good.example/b)'))).not.toContain('(');
  });
});

describe('mentions', () => {
  const bob = { user: 'bob', name: 'Bob' };

  it('are found, but not in addresses', () => {
    expect(shown(inline('@bob and ann@b.example'))).toBe('<@>@bob</@> and ann@b.example');
    expect(shown(inline('thanks @bob.'))).toBe('thanks <@>@bob</@>.');
  });

  it('know my key and my name, whatever their case', () => {
    expect(mentions('hi **@BOB**', bob)).toBe(true);
    expect(mentions('- hi @bob', bob)).toBe(true);
    expect(mentions('hi @bobby', bob)).toBe(false);
    expect(mentions('hi bob', bob)).toBe(false);
    expect(mentions('привет @Борис!', { user: 'guest-x7k2', name: 'Борис' })).toBe(true);
  });

  it('are none in code and quotes', () => {
    expect(mentions('`@bob`', bob)).toBe(false);
    expect(mentions('> hi @bob', bob)).toBe(false);
  });
});

describe('rooms', () => {
  it('are found, but not in addresses and links', () => {
    expect(shown(inline('see #general, or #private:ab1.'))).toBe('see <#>#general</#>, or <#>#private:ab1</#>.');
    expect(shown(inline('https://a.example/#general'))).toBe('<a>https://a.example/#general</a>');
    expect(shown(inline('[#general](https://a.example)'))).toBe('<a>#general</a>');
  });
});

describe('blocks', () => {
  it('are paragraphs, with their line breaks', () => {
    expect(blocks('one\ntwo\n\n  three')).toEqual(['one\ntwo', '  three']);
  });

  it('are code, as it is written', () => {
    expect(blocks('look:\n```Python\n**a**\n\n  - b\n```\nafter')).toEqual([
      'look:',
      { 'code python': '**a**\n\n  - b' },
      'after',
    ]);
    expect(blocks('```\nnot closed')).toEqual([{ 'code ': 'not closed' }]);
  });

  it('are quotes, but not an angry face', () => {
    expect(blocks('> a\n> > b\nc')).toEqual([{ quote: ['a', { quote: ['b'] }] }, 'c']);
    expect(blocks('>:(')).toEqual(['>:(']);
  });

  it('are lists, within each other too', () => {
    expect(blocks('left:\n1. notes\n2. cake\n   - with *cream*\n3. end')).toEqual([
      'left:',
      { 'list 1': [['notes'], ['cake', { 'list null': [['with <i>cream</i>']] }], ['end']] },
    ]);
    expect(blocks('7. seven')).toEqual([{ 'list 7': [['seven']] }]);
    expect(blocks('-5 degrees\n*bold* is no list')).toEqual(['-5 degrees\n<i>bold</i> is no list']);
  });

  it('are tables', () => {
    expect(blocks('| a | **b** |\n|---|--:|\n| 1 | 2 |\n| 3 |')).toEqual([
      {
        table: [
          ['a', '<b>b</b>'],
          ['1', '2'],
          ['3', ''],
        ],
        ends: [false, true],
      },
    ]);
    expect(blocks('a | b')).toEqual(['a | b']);
  });
});

describe('a whole text', () => {
  it('is read without its marks', () => {
    expect(textOf('**a** `b`\n\n- [c](https://a.example)\n> d').plain).toBe('a b c d');
  });

  it('of a few emoji is shown large', () => {
    expect(textOf('👩‍🚀 🎉🇩🇪').isEmoji).toBe(true);
    expect(textOf('1').isEmoji).toBe(false);
    expect(textOf('👍 ok').isEmoji).toBe(false);
    expect(textOf('👍'.repeat(30)).isEmoji).toBe(false);
  });

  it('is parsed once', () => {
    expect(textOf('the same')).toBe(textOf('the same'));
  });

  it('that is long has a beginning', () => {
    expect(textOf('a\n'.repeat(10)).beginning).toBeNull();
    expect(textOf('a\n'.repeat(40)).beginning?.map(outline)).toEqual([`${'a\n'.repeat(18).trimEnd()}…`]);
    const cut = textOf('👍'.repeat(10_000)).beginning?.map(outline).join('') ?? '';
    expect(cut.length).toBeLessThan(1_500);
    expect(cut).not.toMatch(/\p{Surrogate}/u);
  });
});

const HOSTILE = {
  quotes: '>'.repeat(4_000),
  'quotes with blanks': '> '.repeat(2_000),
  lists: '- '.repeat(2_000),
  'deeper and deeper lists': Array.from({ length: 80 }, (_, depth) => `${' '.repeat(depth)}- a`).join('\n'),
  brackets: '['.repeat(4_000),
  'brackets with targets': '[a]('.repeat(1_000),
  'nested links': `${'['.repeat(1_000)}a${'](https://a.example)'.repeat(150)}`,
  'links with parentheses': `https://a.example/${')'.repeat(3_900)}`,
  'marks that open': '*a _b ~~c **d __e '.repeat(220),
  'marks that close': '*a* _b_ **c** '.repeat(280),
  'marks in marks': '**_**_**_'.repeat(440),
  backticks: Array.from({ length: 88 }, (_, length) => '`'.repeat(length)).join('a'),
  'code fences': '```\n'.repeat(1_000),
  tables: '|a|\n|-|\n'.repeat(500),
  'rulers with blanks': `|\n${' '.repeat(3_900)}|x`,
  mentions: `@a${'.:|-'.repeat(1_000)}`,
  'bidi overrides': '\u202e\u2066**a**'.repeat(400),
  emoji: '👩‍👩‍👧‍👦'.repeat(10_000),
  'blank lines': '\n'.repeat(4_000),
  everything: '> - **[a](https://a.example) `b` @c\n'.repeat(110),
};

describe('hostile text', () => {
  it.each(Object.entries(HOSTILE))('takes few steps and makes few nodes: %s', (_, text) => {
    const matched = vi.spyOn(RegExp.prototype, 'exec');
    const found = blocksOf(text);
    const steps = matched.mock.calls.length;
    matched.mockRestore();

    const { nodes, depth } = sizeOf(found);
    expect(nodes).toBeLessThanOrEqual(text.length + 1);
    expect(depth).toBeLessThanOrEqual(2 * DEEPEST + 8);
    expect(steps).toBeLessThanOrEqual(20 * text.length);
  });

  it('loses no character but marks', () => {
    for (const text of [HOSTILE.brackets, HOSTILE['bidi overrides'], HOSTILE['links with parentheses']]) {
      const kept = blocksOf(text).map(outline).join('');
      expect(kept.replace(/<[^>]*>|\*/g, '')).toBe(text.replaceAll('*', ''));
    }
  });
});

/** Walks the objects of the tree, whatever their kinds. */
function sizeOf(tree: unknown): { nodes: number; depth: number } {
  if (typeof tree !== 'object' || tree === null) return { nodes: 0, depth: 0 };
  const within = Object.values(tree).map(sizeOf);
  const isNode = 'kind' in tree;
  return {
    nodes: within.reduce((sum, { nodes }) => sum + nodes, isNode ? 1 : 0),
    depth: Math.max(0, ...within.map(({ depth }) => depth)) + (isNode ? 1 : 0),
  };
}

describe('code', () => {
  it('has colours in a known language', async () => {
    const pieces = await highlighted('py', 'def a(): return "b"');
    expect(pieces?.map(({ text }) => text).join('')).toBe('def a(): return "b"');
    expect(pieces).toContainEqual({ text: 'def', scope: 'keyword' });
  });

  it.each(['', 'nonsense', 'constructor', '__proto__'])('has none in %j', async (language) => {
    expect(await highlighted(language, 'a')).toBeNull();
  });
});

describe('blank', () => {
  it.each(['', ' \n\t\u3000', '\u200b\u2060', '\u2800\ufe0f', '\u3164'])('is %j', (text) => {
    expect(isBlank(text)).toBe(true);
  });

  it.each(['a', ' . ', '\u200d👍\ufe0f'])('is not %j', (text) => {
    expect(isBlank(text)).toBe(false);
  });
});
