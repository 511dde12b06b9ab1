import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { RoomKind, RoomRole } from 'hubbub-client';
import { describe, expect, it } from 'vitest';
import { may, mayTo, type Right } from '../src/models/rights';

const KINDS: RoomKind[] = ['public', 'private', 'direct'];
const ROLES: RoomRole[] = ['owner', 'moderator', 'member', 'guest', 'nobody'];
const policies = fileURLToPath(new URL('../../src/hubbub/accounts/policies.py', import.meta.url));
const table = readFileSync(policies, 'utf8');

/** By the names of the server's groups of roles. */
const GROUPS: Record<string, RoomRole[]> = {
  _OWNER: ['owner'],
  _MODERATORS: ['owner', 'moderator'],
  _MEMBERS: ['owner', 'moderator', 'member'],
  _ALL: ['owner', 'moderator', 'member', 'guest'],
  _NONE: [],
};
/** The server's name for each right. */
const ACTIONS: [Right, string][] = [
  ['change', 'CHANGE_ROOM'],
  ['archive', 'ARCHIVE'],
  ['setRole', 'SET_ROLE'],
  ['invite', 'INVITE'],
  ['remove', 'REMOVE'],
  ['mute', 'MUTE'],
  ['ban', 'BAN'],
  ['moderate', 'MODERATE'],
  ['report', 'REPORT'],
];

describe.each(ACTIONS)('the right "%s"', (right, action) => {
  const groups = new RegExp(`Action\\.${action}: \\((\\w+), (\\w+), (\\w+)`).exec(table)?.slice(1) ?? [];

  it.each(KINDS.map((kind, place) => [kind, groups[place] ?? ''] as const))(
    'is that of the server in a %s room',
    (kind, group) => {
      // A guest in a private room is a member.
      const roles = kind === 'public' ? ROLES : ROLES.filter((role) => role !== 'guest');
      const allowed = roles.filter((role) => may(right, { kind, role, archived: false }));
      expect(allowed).toEqual(GROUPS[group]);
    },
  );
});

it('counts only over people with a lower role', () => {
  const moderator = { kind: 'public', role: 'moderator', archived: false } as const;
  expect(ROLES.filter((role) => mayTo('ban', moderator, role))).toEqual(['member', 'guest', 'nobody']);
  expect(mayTo('kick', { ...moderator, kind: 'private' }, 'member')).toBe(false);
});

it('ends in part when the room is archived', () => {
  const owner = { kind: 'private', role: 'owner', archived: true } as const;
  expect([may('invite', owner), may('archive', owner)]).toEqual([false, true]);
});
