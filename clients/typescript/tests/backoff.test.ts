import { describe, expect, it } from 'vitest';
import { Backoff } from 'hubbub-client';

describe('Backoff', () => {
  it('doubles its limit from half a second to thirty', () => {
    const backoff = new Backoff({ random: () => 0.999999 });
    const waits = Array.from({ length: 9 }, () => backoff.next());
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
  });

  it('spreads each wait over the time below the limit', () => {
    const chances = [0, 0.5, 0.25];
    const backoff = new Backoff({ random: () => chances.shift() ?? 0 });
    expect([backoff.next(), backoff.next(), backoff.next()]).toEqual([0, 500, 500]);
  });

  it('starts over after a reset', () => {
    const backoff = new Backoff({ random: () => 0.999999 });
    backoff.next();
    backoff.next();
    backoff.reset();
    expect(backoff.next()).toBe(500);
  });
});
