/** A list that the server searches and gives page by page, as far as it has been read. */
import { CommandRefused, type Clock, type ListQuery } from 'hubbub-client';

export interface Page<Item> {
  items: readonly Item[];
  next?: string;
}

/** `unknown`: the server is of an older version, and has no such list. */
export type Trouble = 'unknown' | 'failed';

const PAGE = 100;
/** Milliseconds without a key before the server is asked. */
const PAUSE = 150;

export class Listing<Item> {
  readonly #fetch: (query: ListQuery) => Promise<Page<Item>>;
  readonly #clock: Clock;
  #items = $state.raw<readonly Item[]>([]);
  #trouble = $state<Trouble | null>(null);
  #isLoading = $state(false);
  #next = $state<string | undefined>();
  #text = '';
  /** Counts the searches: the answer to an earlier one is outdated. */
  #search = 0;
  #cancel = () => {};

  constructor(fetch: (query: ListQuery) => Promise<Page<Item>>, clock: Clock) {
    this.#fetch = fetch;
    this.#clock = clock;
  }

  get items(): readonly Item[] {
    return this.#items;
  }

  get isLoading(): boolean {
    return this.#isLoading;
  }

  get hasMore(): boolean {
    return this.#next !== undefined;
  }

  /** Why the last page could not be read. */
  get trouble(): Trouble | null {
    return this.#trouble;
  }

  /** Starts over with what has this text. Until the answer, the items of the last search stay. */
  search(text: string): void {
    const isFirst = this.#search === 0;
    this.#text = text;
    this.#search += 1;
    this.#isLoading = true;
    this.#cancel();
    this.#cancel = this.#clock.after(isFirst ? 0 : PAUSE, () => void this.#read(undefined));
  }

  /** Reads one more page, unless one is being read. */
  more(): void {
    if (this.#isLoading || this.#next === undefined) return;
    void this.#read(this.#next);
  }

  /** After trouble. */
  retry(): void {
    if (!this.#isLoading) void this.#read(this.#next);
  }

  stop(): void {
    this.#search += 1;
    this.#cancel();
  }

  async #read(after: string | undefined): Promise<void> {
    const search = this.#search;
    this.#isLoading = true;
    try {
      const { items, next } = await this.#fetch({ q: this.#text === '' ? undefined : this.#text, after, limit: PAGE });
      if (search !== this.#search) return;
      this.#items = after === undefined ? items : [...this.#items, ...items];
      this.#next = next;
      this.#trouble = null;
    } catch (error) {
      if (search !== this.#search) return;
      const isUnknown = error instanceof CommandRefused && error.failure.code === 'not_found';
      this.#trouble = isUnknown ? 'unknown' : 'failed';
    }
    this.#isLoading = false;
  }
}
