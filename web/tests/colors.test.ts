import { expect, it } from 'vitest';
import { COLORS, hueOf } from '../src/models/colors';
import { spanOf } from '../src/models/spans';

it('finds the hue of a colour', () => {
  expect([hueOf('#ff0000'), hueOf('#00ff00'), hueOf('#0000ff')]).toEqual([29, 142, 264]);
});

it('offers colours that nobody takes for each other', () => {
  const hues = Object.values(COLORS)
    .map(hueOf)
    .sort((a, b) => a - b);
  const gaps = hues.map((hue, place) => (hue - (hues.at(place - 1) ?? 0) + 360) % 360);
  expect(Math.min(...gaps)).toBeGreaterThan(25);
});

it('names a span in its largest unit', () => {
  expect([3_600, 86_400, 604_800, 90].map((seconds) => spanOf(seconds, 'en'))).toEqual([
    '1 hour',
    '1 day',
    '7 days',
    '90 seconds',
  ]);
  expect(spanOf(604_800, 'de')).toBe('7 Tage');
});
