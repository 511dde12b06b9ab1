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

/** Black or white, whichever is easier to read on a colour (`#rrggbb`): 4.58:1 at least. */
export function inkOn(color: string): string {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(color.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? '#000000' : '#ffffff';
}

function firstGrapheme(word: string): string {
  for (const { segment } of graphemes.segment(word)) return segment;
  return '';
}
