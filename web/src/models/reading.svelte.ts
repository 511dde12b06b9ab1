/**
 * A reader's way through a room's log: back page by page, to a quoted message and around it, and to the end again. It
 * says where to look; the component scrolls there.
 */
import type { HistoryPage, Place } from 'hubbub-client';
import { Slices } from './slices';
import type { Timeline } from './timeline.svelte';

/** Where the reader wants to be: at the end, at one message, or where the unread ones begin. */
export type Goal = { kind: 'end' } | { kind: 'message'; seq: number } | { kind: 'unread' };

/** A line, and how far its lower edge is from the top of the view. */
export interface Spot {
  line: string;
  bottom: number;
}

const PAGE = 50;

/** Makes a change when the page draws next, and resolves with the milliseconds that it took. */
export type Draw = (change: () => void) => Promise<number>;

const atOnce: Draw = (change) => {
  change();
  return Promise.resolve(0);
};

export class Reading {
  /** The `seq` of the room's latest message. */
  head = 0;
  readonly #timeline: Timeline;
  readonly #history: (place: Place) => Promise<HistoryPage>;
  readonly #draw: Draw;
  readonly #slices = new Slices();
  /** The line at which the reader left, and where it was in the view; null at the end. */
  place: Spot | null = null;
  #goal = $state.raw<Goal | null>(null);
  /** The first message since the reader looked away. */
  #firstNew: number | null = null;
  #divider = $state<number | null>(null);
  #unread = $state(0);
  #isAtEnd = $state(true);
  /** One page at a time. A page that was requested before a jump is too late, and is dropped. */
  #isLoading = false;

  constructor(timeline: Timeline, history: (place: Place) => Promise<HistoryPage>, draw: Draw = atOnce) {
    this.#timeline = timeline;
    this.#history = history;
    this.#draw = draw;
  }

  /** A page was requested and has not come. */
  get isLoading(): boolean {
    return this.#isLoading;
  }

  get goal(): Goal | null {
    return this.#goal;
  }

  /** Messages of others that came while the reader was further up. */
  get unread(): number {
    return this.#unread;
  }

  /** The end of the log is visible, not only the end of the loaded lines. */
  get isAtEnd(): boolean {
    return this.#isAtEnd && !this.#timeline.isBehind;
  }

  looksAt(end: boolean): void {
    this.#isAtEnd = end;
    this.#timeline.holdsStill = !end;
    if (this.isAtEnd) this.#unread = 0;
  }

  /** A new message of another person. */
  came(seq: number | undefined, isSeen: boolean): void {
    if (!this.isAtEnd) this.#unread += 1;
    if (!isSeen) this.#firstNew ??= seq ?? null;
  }

  /** The `seq` of the first message that was new when the reader came. It stays until the reader comes again. */
  get divider(): number | null {
    return this.#divider;
  }

  /** The reader comes to the room, or back to the page. */
  opened(): void {
    this.#divider = this.#firstNew;
    this.#firstNew = null;
    if (this.#divider !== null && this.#goal === null && this.place === null) this.#goal = { kind: 'unread' };
  }

  /** The reader has answered, and so has read everything. */
  answered(): void {
    this.#divider = null;
  }

  arrived(): void {
    this.#goal = null;
  }

  // These reject if there is no connection; the lines stay as they were.

  /** Returns whether lines have come. */
  async older(): Promise<boolean> {
    if (this.#isLoading || !this.#timeline.hasOlder) return false;
    return this.#load({ before: this.#timeline.from, limit: PAGE }, async ({ messages, more }) => {
      for (let end = messages.length; end > 0;) {
        const start = Math.max(0, end - this.#slices.size);
        const slice = messages.slice(start, end);
        await this.#drawSlice(() => this.#timeline.prepend(slice, more || start > 0));
        end = start;
      }
      if (messages.length === 0) this.#timeline.prepend(messages, more);
    });
  }

  /** Returns whether lines have come. */
  async newer(): Promise<boolean> {
    if (this.#isLoading || !this.#timeline.isBehind) return false;
    return this.#load({ after: this.#timeline.upTo, limit: PAGE }, async ({ messages, more }) => {
      for (let start = 0; start < messages.length;) {
        const end = start + this.#slices.size;
        const slice = messages.slice(start, end);
        await this.#drawSlice(() => this.#timeline.append(slice, more || end < messages.length));
        start = end;
      }
      if (messages.length === 0) this.#timeline.append(messages, more);
    });
  }

  async toEnd(): Promise<void> {
    if (this.#timeline.isBehind) await this.#load({ limit: PAGE }, (page) => this.#startOver(page));
    this.#goal = { kind: 'end' };
  }

  /** Goes to one message, and loads those around it if it is not here. Returns false if there is no such message. */
  async to(seq: number): Promise<boolean> {
    if (!this.#timeline.has(seq)) {
      await this.#load({ around: seq, limit: PAGE }, (page) => {
        if (page.messages.some((message) => message.seq === seq)) this.#startOver(page);
      });
      if (!this.#timeline.has(seq)) return false;
    }
    this.#goal = { kind: 'message', seq };
    return true;
  }

  async #load(place: Place, use: (page: HistoryPage) => void | Promise<void>): Promise<boolean> {
    this.#isLoading = true;
    try {
      const page = await this.#history(place);
      await use(page);
      return page.messages.length > 0;
    } finally {
      this.#isLoading = false;
    }
  }

  async #drawSlice(add: () => void): Promise<void> {
    this.#slices.drawn(await this.#draw(add));
  }

  #startOver({ messages }: HistoryPage): void {
    this.head = Math.max(this.head, messages.at(-1)?.seq ?? 0);
    this.#timeline.lookAt(messages, this.head);
  }
}
