/**
 * What one room says of itself, and who is what in it, as events and pages of REST tell. It knows no messages and no
 * connection.
 */
import { fold } from './keys.js';
import type { ListQuery } from './lists.js';
import type { Joined, MembersPage, RoomEvent, RoomMember, Sync, Welcome } from './protocol.js';

export type RoomRole = NonNullable<RoomMember['role']>;
export type RoomKind = NonNullable<Joined['kind']>;
/** Who the client's user is. */
export type Me = Pick<Welcome, 'user' | 'role' | 'guest'>;

type Said = Pick<RoomEvent, 'kind' | 'title' | 'description' | 'archived' | 'slow'>;

/** Somebody, and the number of the change since which it is so. */
interface Known {
  member: RoomMember;
  rev: number;
}

export class RoomMembers {
  kind: RoomKind = 'public';
  title: string | undefined;
  description: string | undefined;
  archived = false;
  /** Seconds between two messages of one user; 0 without slow mode. */
  slow = 0;
  /** What this client's user is here; undefined before the room is joined. */
  role: RoomRole | undefined;
  readonly #me: () => Me | null;
  /** By folded key, those with the role `nobody` too. */
  readonly #known = new Map<string, Known>();
  /** Where the page begins that continues `list`. Undefined if the list is whole, or not known. */
  next: string | undefined;
  #isKnown = false;

  constructor(me: () => Me | null = () => null) {
    this.#me = me;
  }

  /**
   * Those who have a role, or are muted or banned, as far as `learn` has told. Undefined while it is not known: `learn`
   * from `await client.members(room)`. The server says by itself who is in a direct room.
   */
  get list(): readonly RoomMember[] | undefined {
    if (!this.#isKnown) return undefined;
    return [...this.#known.values()].map(({ member }) => member).filter(isSomething);
  }

  /** What is known of somebody. */
  of(user: string): RoomMember | undefined {
    const member = this.#known.get(fold(user))?.member;
    return member !== undefined && isSomething(member) ? member : undefined;
  }

  joined(event: Joined): void {
    this.#says(event);
    this.role = event.role;
    if (event.members !== undefined) {
      this.#known.clear();
      this.learn({ members: event.members, rev: event.rev });
    }
    // Members may have changed meanwhile, and no event will say so.
    else if (!event.recovered || event.since !== event.rev) this.#end();
  }

  caughtUp(event: Sync): void {
    this.#says(event);
    this.#end();
  }

  changed({ rev, kind, title, description, archived, slow, members = [] }: RoomEvent): void {
    if (kind !== undefined) this.kind = kind;
    if (title !== undefined) this.title = title || undefined;
    if (description !== undefined) this.description = description || undefined;
    if (archived !== undefined) this.archived = archived;
    if (slow !== undefined) this.slow = slow;
    for (const { out: _, ...member } of members) this.#put({ color: this.of(member.user)?.color, ...member }, rev);
  }

  /**
   * `query` is the one with which the page was asked for. The first page begins the list, the one that is `next`
   * continues it, and others tell of people only. Events that are newer than the page stay.
   */
  learn(page: Pick<MembersPage, 'members' | 'rev' | 'next'>, { q, after }: ListQuery = {}): void {
    const rev = page.rev ?? 0;
    if (!q && !after) {
      for (const [user, known] of this.#known) if (known.rev <= rev) this.#known.delete(user);
      this.#isKnown = true;
      this.next = page.next;
    } else if (!q && after === this.next) this.next = page.next;
    for (const member of page.members) this.#put(member, rev);
  }

  #end(): void {
    this.#isKnown = false;
    this.next = undefined;
  }

  #says(said: Said): void {
    this.kind = said.kind ?? 'public';
    this.title = said.title || undefined;
    this.description = said.description || undefined;
    this.archived = said.archived ?? false;
    this.slow = said.slow ?? 0;
  }

  #put(member: RoomMember, rev: number): void {
    const known = this.#known.get(fold(member.user));
    if (known !== undefined && known.rev > rev) return;
    this.#known.set(fold(member.user), { member, rev });
    const me = this.#me();
    if (me !== null && fold(me.user) === fold(member.user)) this.role = this.#roleOf(me, member.role ?? 'nobody');
  }

  /** In a public room, administrators are owners, and those without a role are members or guests. */
  #roleOf(me: Me, given: RoomRole): RoomRole {
    if (this.kind !== 'public') return given;
    if (me.role === 'admin') return 'owner';
    if (given !== 'nobody') return given;
    return me.guest ? 'guest' : 'member';
  }
}

function isSomething({ role, muted, banned }: RoomMember): boolean {
  return (role ?? 'nobody') !== 'nobody' || muted !== undefined || banned !== undefined;
}
