import { describe, expect, it } from 'vitest';
import type { Joined } from 'hubbub-client';
import { Colours } from '../src/models/colours.svelte';
import { inkOn } from '../src/models/person';

const GREEN = '#0b6b5e';
const message = (user: string) => ({
  type: 'message' as const,
  room: 'general',
  user,
  name: user,
  kind: 'text' as const,
  text: 'hello',
  ts: '2026-11-20T09:30:00.000Z',
});
const joined = (more: Partial<Joined>): Joined => ({
  type: 'joined',
  room: 'general',
  name: 'general',
  online: 0,
  users: [],
  epoch: 'e',
  recovered: false,
  ...more,
});

describe('the colours of people', () => {
  it('are those of authors who are offline, too', () => {
    const colours = new Colours();
    colours.hear(joined({ messages: [message('alice'), message('bob')], colors: { alice: GREEN } }));

    expect(['alice', 'ALICE', 'bob', 'carol'].map((user) => colours.of(user))).toEqual([
      GREEN,
      GREEN,
      undefined,
      undefined,
    ]);
    expect(['bob', 'carol'].map((user) => colours.isTold(user))).toEqual([true, false]);
  });

  it('stay when somebody leaves, and change when the server tells another one', () => {
    const colours = new Colours();
    colours.hear(joined({ users: [{ user: 'alice', name: 'Alice', color: GREEN }] }));
    colours.hear({ type: 'leave', room: 'general', user: 'alice', name: 'Alice', online: 0 });
    expect(colours.of('alice')).toBe(GREEN);

    colours.hear({ type: 'join', room: 'general', user: 'alice', name: 'Alice', online: 1 });
    expect(colours.of('alice')).toBeUndefined();
  });

  it('are colours and nothing else', () => {
    const colours = new Colours();
    colours.tell([{ user: 'alice', color: 'url(https://example.org)' }]);
    expect(colours.of('alice')).toBeUndefined();
  });
});

describe('the initials on a colour', () => {
  const light = (color: string) => {
    const parts = [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16) / 255);
    const [r = 0, g = 0, b = 0] = parts.map((part) =>
      part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4,
    );
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a: string, b: string) => {
    const [dark = 0, bright = 0] = [light(a), light(b)].sort((x, y) => x - y);
    return (bright + 0.05) / (dark + 0.05);
  };

  it('can be read, whatever the colour is', () => {
    const parts = ['00', '1a', '33', '5c', '77', '8f', 'b3', 'cc', 'e6', 'ff'];
    const colors = parts.flatMap((r) => parts.flatMap((g) => parts.map((b) => `#${r}${g}${b}`)));
    expect(Math.min(...colors.map((color) => contrast(color, inkOn(color))))).toBeGreaterThanOrEqual(4.5);
  });
});
