/** The colours that people choose from. The page takes only the hue of one: so its letters stay readable in both themes. */

export const COLORS = {
  red: '#bd615b',
  orange: '#b66b31',
  yellow: '#9c7c0b',
  green: '#4d9351',
  teal: '#00978a',
  sky: '#008cba',
  blue: '#587fc8',
  violet: '#8c6ebd',
  pink: '#b4608a',
} as const;

export type ColorName = keyof typeof COLORS;

/** The hue of `#rrggbb` in OKLCH, in degrees (https://bottosson.github.io/posts/oklab/). */
export function hueOf(color: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => linear(parseInt(color.slice(at, at + 2), 16) / 255));
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  const red = 1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s;
  const yellow = 0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s;
  return Math.round((Math.atan2(yellow, red) * 180) / Math.PI + 360) % 360;
}

function linear(value: number): number {
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
}
