/**
 * The people of a room as one reads them: oneself first, searched, and in a large room page by page. The server names
 * only the first few of a large room by itself: all of them, told to everybody, would be too much.
 */
import type { Clock, ListQuery, OnlinePage, OnlineUser } from 'hubbub-client';
import { Listing } from './listing.svelte';
import { meFirst, type People } from './people.svelte';
import type { Me } from './text';

export interface RosterOptions {
  people: Pick<People, 'list' | 'unnamed'>;
  me: Me;
  read: (query: ListQuery) => Promise<Pick<OnlinePage, 'users' | 'next'>>;
  clock: Clock;
}

export class Roster {
  readonly #options: RosterOptions;
  readonly listing: Listing<OnlineUser>;
  #query = $state('');
  /** The server has been asked for those whom it did not name. */
  #hasAsked = $state(false);

  readonly shown: readonly OnlineUser[] = $derived.by(() => {
    const { people, me } = this.#options;
    const known = this.#hasAsked && people.unnamed > 0 ? this.listing.items : people.list;
    return meFirst(known, me).filter((person) => isFound(person, this.#query));
  });

  constructor(options: RosterOptions) {
    const { read, clock } = options;
    this.#options = options;
    this.listing = new Listing((query) => read(query).then(({ users, next }) => ({ items: users, next })), clock);
  }

  get query(): string {
    return this.#query;
  }

  set query(query: string) {
    this.#query = query;
    if (this.#options.people.unnamed === 0) return;
    this.#hasAsked = true;
    this.listing.search(query.trim());
  }

  /** Some are online whom the page does not show yet. */
  get hasMore(): boolean {
    return this.#options.people.unnamed > 0 && (!this.#hasAsked || this.listing.hasMore);
  }

  more(): void {
    if (this.#hasAsked) this.listing.more();
    else this.query = '';
  }
}

function isFound({ user, name }: OnlineUser, query: string): boolean {
  const part = query.trim().toLocaleLowerCase();
  return name.toLocaleLowerCase().includes(part) || user.toLocaleLowerCase().includes(part);
}
