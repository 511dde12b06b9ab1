import { describe, expect, it } from 'vitest';
import { sentenceFor, type AuditLine } from '../src/models/audit';
import { Paging } from '../src/models/paging.svelte';
import { ADMIN_WORDS } from '../src/words/admin';

const line = (action: string, target: string, detail: Record<string, unknown> = {}, actor = 'ada'): AuditLine => ({
  id: '1',
  at: '2026-11-22T11:00:00.000Z',
  actor,
  action,
  target,
  detail,
});
const settings = { name: 'Name of the server' };
const said = (one: AuditLine, tag: keyof typeof ADMIN_WORDS = 'en') =>
  sentenceFor(one, { ...ADMIN_WORDS[tag].audit, settings, momentOf: () => 'Friday' }).replace(/[\u2068\u2069]/g, '');

describe('a line of the audit log', () => {
  it.each([
    [line('account.add', 'ada'), 'ada signed up.'],
    [line('account.add', 'bob', {}, 'console'), 'The command line made the account bob.'],
    [line('account.role', 'bob', { role: 'admin' }), 'ada made bob an administrator.'],
    [line('ban.set', 'bob', { until: '2026-11-27T11:00:00.000Z' }), 'ada banned bob from the server until Friday.'],
    [line('ban.set', 'bob', { until: null }), 'ada banned bob from the server for ever.'],
    [line('room.mute', 'bob', { room: 'hall', until: 'for_ever' }), 'ada muted bob in hall for ever.'],
    [line('room.mute', 'bob', { room: 'hall', until: 'now' }), 'ada let bob write in hall again.'],
    [line('room.archive', 'hall', { archived: true }), 'ada archived hall.'],
    [line('room.archive', 'hall', { archived: false }), 'ada restored hall.'],
    [line('room.set_role', 'bob', { room: 'hall', role: 'moderator' }), 'ada made bob a moderator of hall.'],
    [line('message.delete', 'bob', { room: 'hall', seq: 7 }), 'ada deleted a message of bob in hall.'],
    [line('settings.change', 'name', { value: 'Engines' }), 'ada changed the setting “Name of the server”.'],
    [line('cake.bake', 'bob'), 'ada: cake.bake bob'],
  ])('%j', (one, sentence) => expect(said(one)).toBe(sentence));

  it('is a sentence in each language', () => {
    const banned = line('ban.set', 'bob', { until: null });
    expect(said(banned, 'de')).toBe('ada hat bob für immer vom Server ausgesperrt.');
    expect(said(banned, 'zh-Hans')).toBe('ada 将 bob 从服务器永久封禁。');
  });

  it('puts no name into another one, and keeps the direction of the sentence', () => {
    const whole = sentenceFor(line('key.add', '{who}'), { ...ADMIN_WORDS.en.audit, settings, momentOf: String });
    expect(whole).toBe('\u2068ada\u2069 made the API key \u2068{who}\u2069.');
  });
});

describe('a list that is read page by page', () => {
  const pages: Record<string, { items: number[]; next?: string }> = {
    '': { items: [1, 2], next: 'b' },
    b: { items: [3] },
  };

  it('grows until its end, and begins again after a change', async () => {
    const paging = new Paging((from) => Promise.resolve(pages[from ?? ''] ?? { items: [] }));
    await paging.start();
    expect([paging.items, paging.hasMore]).toEqual([[1, 2], true]);
    await paging.more();
    expect([paging.items, paging.hasMore]).toEqual([[1, 2, 3], false]);
    await paging.more();
    expect(paging.items).toEqual([1, 2, 3]);
    await paging.change(() => Promise.resolve());
    expect(paging.items).toEqual([1, 2]);
  });
});
