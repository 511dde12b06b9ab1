import { describe, expect, it } from 'vitest';
import { addressOf, addressOfPanel, isIn, routeIn } from '../src/models/route';

describe('an address', () => {
  it.each([
    ['', { kind: 'start' }],
    ['#', { kind: 'start' }],
    ['#team-chat', { kind: 'room', room: 'team-chat' }],
    ['#dm:alice%7Cbob', { kind: 'room', room: 'dm:alice|bob' }],
    ['#general/42', { kind: 'room', room: 'general', message: 42 }],
    ['#dm:alice%7Cbob%2F7', { kind: 'room', room: 'dm:alice|bob', message: 7 }],
    ['#/settings', { kind: 'panel', panel: 'settings', tab: '' }],
    ['#/settings/devices', { kind: 'panel', panel: 'settings', tab: 'devices' }],
    ['#/admin/people', { kind: 'panel', panel: 'admin', tab: 'people' }],
    ['#/elsewhere', { kind: 'wrong', text: '/elsewhere' }],
    ['#team%20chat', { kind: 'wrong', text: 'team chat' }],
    ['#caf%C3%A9', { kind: 'wrong', text: 'café' }],
    ['#100%', { kind: 'wrong', text: '100%' }],
    ['#general/', { kind: 'wrong', text: 'general/' }],
    ['#general/0', { kind: 'wrong', text: 'general/0' }],
    ['#general/-1', { kind: 'wrong', text: 'general/-1' }],
    ['#general/1/2', { kind: 'wrong', text: 'general/1/2' }],
    ['#general/9999999999999999', { kind: 'wrong', text: 'general/9999999999999999' }],
    [`#${'é'.repeat(100)}`, { kind: 'wrong', text: 'é'.repeat(64) }],
  ])('%j', (hash, route) => expect(routeIn(hash)).toEqual(route));

  it('is read back as what it was made from', () => {
    expect(routeIn(addressOf('dm:alice|bob'))).toEqual({ kind: 'room', room: 'dm:alice|bob' });
    expect(routeIn(addressOfPanel('admin', 'audit'))).toEqual({ kind: 'panel', panel: 'admin', tab: 'audit' });
    expect(routeIn(addressOf('general', 42))).toEqual({ kind: 'room', room: 'general', message: 42 });
  });

  it('is in a room, in capital or small letters', () => {
    expect(isIn({ kind: 'room', room: 'General', message: 42 }, 'general')).toBe(true);
    expect(isIn({ kind: 'room', room: 'kitchen' }, 'general')).toBe(false);
    expect(isIn({ kind: 'wrong', text: 'general' }, 'general')).toBe(false);
  });
});
