/** The pinned messages of a room, whether they are among the shown lines or not. */
import type { ChangedEvent, HistoryPage, MessageEvent, Place } from 'hubbub-client';
import type { Stored } from './lines';
import type { Messages } from './messages.svelte';

type Change = MessageEvent | ChangedEvent;

/** A room with more pins than this shows the newest ones. */
const KEPT = 100;

export class Pins {
  readonly #messages: Messages;
  readonly #history: (place: Place) => Promise<HistoryPage>;
  /** The numbers of the messages that were seen as pinned. They may not be pinned any more. */
  #seqs = $state.raw<ReadonlySet<number>>(new Set());
  /** For each requested page, the changes since the request: the page may be older than they are. */
  readonly #awaited = new Set<Change[]>();
  /** All pins were requested, and have come or will come. */
  #isComplete = false;

  readonly list: readonly Stored[] = $derived.by(() => {
    const pinned = [...this.#seqs].flatMap((seq) => this.#messages.said(seq) ?? []).filter((message) => message.pinned);
    return pinned.sort((a, b) => b.seq - a.seq);
  });

  constructor(messages: Messages, history: (place: Place) => Promise<HistoryPage>) {
    this.#messages = messages;
    this.#history = history;
    messages.heldBy(() => this.#seqs);
  }

  startOver(): void {
    this.#seqs = new Set();
    this.#awaited.clear();
    this.#isComplete = false;
  }

  /** Requests the pins outside the shown lines, if they are not known. */
  async complete(): Promise<void> {
    if (this.#isComplete) return;
    this.#isComplete = true;
    await this.#load({ pinned: true, limit: KEPT });
  }

  /** A message has come or changed. The messages know it already, if it is one that they hold. */
  follow(change: Change): void {
    for (const changes of this.#awaited) changes.push(change);
    this.#note(change);
  }

  async #load(place: Place): Promise<void> {
    const changes: Change[] = [];
    this.#awaited.add(changes);
    const page = await this.#history(place).catch(() => null);
    const isTooLate = !this.#awaited.delete(changes);
    if (isTooLate) return;
    if (page === null) {
      this.#isComplete = false;
      return;
    }
    for (const message of page.messages) this.#note(message);
    for (const change of changes) if (change.type === 'changed') this.#messages.change(change);
  }

  #note(change: Change): void {
    const { seq, pinned } = change;
    if (seq === undefined || pinned !== true) return;
    if (change.type === 'message') this.#pin({ ...change, seq });
    else if (this.#messages.has(seq)) this.#add(seq);
    else void this.#load({ around: seq, limit: 1 });
  }

  #pin(message: MessageEvent & { seq: number }): void {
    this.#messages.see(message);
    this.#add(message.seq);
  }

  #add(seq: number): void {
    if (!this.#seqs.has(seq)) this.#seqs = new Set([...this.#seqs, seq]);
  }
}
