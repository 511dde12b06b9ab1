/** The pinned messages of a room, whether they are among the shown lines or not. */
import { SvelteMap } from 'svelte/reactivity';
import type { ChangedEvent, HistoryPage, MessageEvent, Place } from 'hubbub-client';

export interface Pinned {
  seq: number;
  rev: number;
  user: string;
  name: string;
  text: string;
}

type Change = MessageEvent | ChangedEvent;

export interface PinsOptions {
  history: (place: Place) => Promise<HistoryPage>;
  /** A message that is among the shown lines. */
  find: (seq: number) => Omit<Pinned, 'rev'> | undefined;
}

/** A room with more pins than this shows the newest ones. */
const KEPT = 100;

export class Pins {
  readonly #options: PinsOptions;
  #bySeq = new SvelteMap<number, Pinned>();
  /** For each requested page, the changes since the request: the page may be older than they are. */
  readonly #awaited = new Set<Change[]>();
  /** All pins were requested, and have come or will come. */
  #isComplete = false;

  readonly list: readonly Pinned[] = $derived([...this.#bySeq.values()].sort((a, b) => b.seq - a.seq));

  constructor(options: PinsOptions) {
    this.#options = options;
  }

  startOver(): void {
    this.#bySeq.clear();
    this.#awaited.clear();
    this.#isComplete = false;
  }

  /** Requests the pins outside the shown lines, if they are not known. */
  async complete(): Promise<void> {
    if (this.#isComplete) return;
    this.#isComplete = true;
    await this.#load({ pinned: true, limit: KEPT });
  }

  follow(change: Change): void {
    for (const changes of this.#awaited) changes.push(change);
    this.#apply(change);
  }

  trim(floor: number): void {
    for (const seq of [...this.#bySeq.keys()]) if (seq <= floor) this.#bySeq.delete(seq);
  }

  async #load(place: Place): Promise<void> {
    const changes: Change[] = [];
    this.#awaited.add(changes);
    const page = await this.#options.history(place).catch(() => null);
    const isTooLate = !this.#awaited.delete(changes);
    if (isTooLate) return;
    if (page === null) {
      this.#isComplete = false;
      return;
    }
    for (const message of page.messages) this.#saw(message);
    for (const change of changes) if ((change.rev ?? 0) > page.rev) this.#apply(change);
  }

  #apply(change: Change): void {
    if (change.type === 'message') this.#saw(change);
    else this.#changed(change);
  }

  #saw({ seq, rev, user, name, text, pinned }: MessageEvent): void {
    if (seq === undefined || rev === undefined) return;
    if ((this.#bySeq.get(seq)?.rev ?? 0) > rev) return;
    if (pinned === true) this.#bySeq.set(seq, { seq, rev, user, name, text });
    else this.#bySeq.delete(seq);
  }

  #changed({ seq, rev, text, deleted, pinned }: ChangedEvent): void {
    const before = this.#bySeq.get(seq);
    if (before !== undefined && before.rev > rev) return;
    if (deleted !== undefined || pinned === false) this.#bySeq.delete(seq);
    else if (before !== undefined) this.#bySeq.set(seq, { ...before, rev, text: text ?? before.text });
    else if (pinned === true) this.#pin(seq, rev);
  }

  #pin(seq: number, rev: number): void {
    const known = this.#options.find(seq);
    if (known === undefined) void this.#load({ around: seq, limit: 1 });
    else this.#bySeq.set(seq, { seq, rev, user: known.user, name: known.name, text: known.text });
  }
}
