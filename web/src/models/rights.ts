/**
 * What a role may do in a room, so that the page offers nothing that the server refuses. The server decides: its table is in
 * `accounts/policies.py`.
 */
import type { RoomKind, RoomRole } from 'hubbub-client';

/** What is told about a room and the user's place in it. */
export interface Place {
  kind: RoomKind;
  role: RoomRole | undefined;
  archived: boolean;
}

export type Right =
  'change' | 'archive' | 'setRole' | 'invite' | 'remove' | 'kick' | 'mute' | 'ban' | 'moderate' | 'leave' | 'report';

type Kinds = readonly RoomKind[];

const OWNER: readonly RoomRole[] = ['owner'];
const MODERATORS: readonly RoomRole[] = ['owner', 'moderator'];
const MEMBERS: readonly RoomRole[] = ['owner', 'moderator', 'member'];
const ALL: readonly RoomRole[] = ['owner', 'moderator', 'member', 'guest'];
const ROOMS: Kinds = ['public', 'private'];
const PRIVATE: Kinds = ['private'];

const RIGHTS: Record<Right, readonly [readonly RoomRole[], Kinds]> = {
  change: [MODERATORS, ROOMS],
  archive: [OWNER, ROOMS],
  setRole: [OWNER, ROOMS],
  invite: [MODERATORS, PRIVATE],
  remove: [MODERATORS, PRIVATE],
  // The server takes people out of private rooms by `remove`: they could not come back.
  kick: [MODERATORS, ['public']],
  mute: [MODERATORS, ROOMS],
  ban: [MODERATORS, ROOMS],
  moderate: [MODERATORS, ROOMS],
  leave: [MEMBERS, PRIVATE],
  report: [ALL, ROOMS],
};

const RANKS: Record<RoomRole, number> = { owner: 3, moderator: 2, member: 1, guest: 0, nobody: 0 };

export function may(right: Right, { kind, role, archived }: Place): boolean {
  const [roles, kinds] = RIGHTS[right];
  if (archived && right === 'invite') return false;
  return role !== undefined && roles.includes(role) && kinds.includes(kind);
}

/** The same to somebody with this role: it must be below one's own. */
export function mayTo(right: Right, place: Place, theirs: RoomRole | undefined): boolean {
  return may(right, place) && RANKS[theirs ?? 'nobody'] < RANKS[place.role ?? 'nobody'];
}
