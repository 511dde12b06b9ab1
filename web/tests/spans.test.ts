import { expect, it } from 'vitest';
import { spanOf } from '../src/models/spans';

it('names a span in its largest unit', () => {
  expect([3_600, 86_400, 604_800, 90].map((seconds) => spanOf(seconds, 'en'))).toEqual([
    '1 hour',
    '1 day',
    '7 days',
    '90 seconds',
  ]);
  expect(spanOf(604_800, 'de')).toBe('7 Tage');
});
