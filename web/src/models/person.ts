/** How a person without a picture is recognised: by letters and a colour. */

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** At most two letters (or an emoji) for a circle. */
export function initials(name: string): string {
  const words = name.split(/[\s._-]+/u).filter((word) => word !== '');
  const letters = words.map(firstGrapheme);
  return [letters[0], letters.length > 1 ? letters.at(-1) : ''].join('').toLocaleUpperCase();
}

/** An angle on the colour wheel, always the same for one key: a hash, multiplied by 2^32 over the golden ratio. */
export function hue(key: string): number {
  let hash = 0;
  for (const character of key.toLowerCase()) {
    hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  return (hash >>> 0) % 360;
}

function firstGrapheme(word: string): string {
  for (const { segment } of graphemes.segment(word)) return segment;
  return '';
}
