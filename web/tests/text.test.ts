import { describe, expect, it } from 'vitest';
import { isBlank, mentions, pieces } from '../src/models/text';

const marked = (text: string) => pieces(text).map(({ kind, text: part }) => (kind === 'text' ? part : `<${part}>`));

describe('pieces', () => {
  it('keeps every character', () => {
    const text = 'see https://a.example/x?y=1, @bob: <b>"hi"</b>\n\u202ehttp://b.example';
    expect(
      pieces(text)
        .map((piece) => piece.text)
        .join(''),
    ).toBe(text);
  });

  it('finds links without the punctuation around them', () => {
    expect(marked('(see https://a.example/b_(c)).')).toEqual(['(see ', '<https://a.example/b_(c)>', ').']);
    expect(marked('https://a.example!')).toEqual(['<https://a.example>', '!']);
  });

  it.each(['javascript:alert(1)', 'data:text/html,x', 'ftp://a.example', 'https://'])('makes no link of %s', (text) => {
    expect(pieces(text).some(({ kind }) => kind === 'link')).toBe(false);
  });

  it('finds mentions, but not in addresses', () => {
    expect(marked('@bob and ann@b.example')).toEqual(['<@bob>', ' and ann@b.example']);
    expect(marked('thanks @bob.')).toEqual(['thanks ', '<@bob>', '.']);
  });
});

describe('mentions', () => {
  const bob = { user: 'bob', name: 'Bob' };

  it('knows my key and my name, whatever their case', () => {
    expect(mentions('hi @BOB', bob)).toBe(true);
    expect(mentions('hi @bobby', bob)).toBe(false);
    expect(mentions('hi bob', bob)).toBe(false);
  });

  it('knows names in any script', () => {
    expect(mentions('привет @Борис!', { user: 'guest-x7k2', name: 'Борис' })).toBe(true);
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
