/** How a person without a picture is recognised: by letters and a colour. */

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** At most two letters (or an emoji) for a circle. */
export function initials(name: string): string {
  const words = name.split(/[\s._-]+/u).filter((word) => word !== '');
  const letters = words.map(firstGrapheme);
  return [letters[0], letters.length > 1 ? letters.at(-1) : ''].join('').toLocaleUpperCase();
}

/** An angle on the colour wheel, always the same for one key (FNV-1a, spread by the golden angle). */
export function hue(key: string): number {
  let hash = 0x811c9dc5;
  for (const character of key.toLowerCase()) {
    hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
  }
  return Math.round(((hash >>> 0) * 137.508) % 360);
}

function firstGrapheme(word: string): string {
  for (const { segment } of graphemes.segment(word)) return segment;
  return '';
}
