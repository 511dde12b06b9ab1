/** A list that is asked for page by page, and of which single items change. */
import { Asking } from './asking.svelte';

export interface Page<Item> {
  items: readonly Item[];
  next?: string;
}

export class Paging<Item> {
  readonly #fetch: (from: string | undefined) => Promise<Page<Item>>;
  #before: readonly Item[] = [];
  #from: string | undefined;
  /** All that has been read. */
  readonly asking: Asking<Page<Item>>;

  constructor(fetch: (from: string | undefined) => Promise<Page<Item>>) {
    this.#fetch = fetch;
    this.asking = new Asking(() => this.#read());
  }

  get items(): readonly Item[] {
    return this.asking.value?.items ?? [];
  }

  get hasMore(): boolean {
    return this.asking.value?.next !== undefined && this.asking.value.next !== null;
  }

  /** Reads the first page. */
  async start(): Promise<void> {
    this.#before = [];
    this.#from = undefined;
    await this.asking.ask();
  }

  async more(): Promise<void> {
    if (!this.hasMore || this.asking.isBusy) return;
    this.#before = this.items;
    this.#from = this.asking.value?.next;
    await this.asking.ask();
  }

  /** Does what changes the list, and reads it from its beginning. */
  async change<Made>(work: () => Promise<Made>): Promise<{ made: Made } | null> {
    this.#before = [];
    this.#from = undefined;
    return this.asking.change(work);
  }

  async #read(): Promise<Page<Item>> {
    const before = this.#before;
    const { items, next } = await this.#fetch(this.#from);
    return { items: [...before, ...items], next };
  }
}
