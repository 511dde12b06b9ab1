/**
 * The messages of a room that this tab knows, each once, by its number in the log. The timeline, the pins and the quotes
 * hold numbers. What reads one message depends on that message alone.
 */
import { SvelteMap } from 'svelte/reactivity';
import type { ChangedEvent, MessageEvent, Quote } from 'hubbub-client';
import { changedLine, lineOf, quoteOf, type Announced, type Said } from './lines';
import type { Me } from './text';

export type Logged = (Said | Announced) & { seq: number };

/** Above this number, messages that nothing shows are forgotten. */
const KEPT = 1_000;

export class Messages {
  readonly #me: () => Me;
  readonly #bySeq = new SvelteMap<number, Logged>();
  readonly #holders: (() => Iterable<number>)[] = [];

  constructor(me: () => Me) {
    this.#me = me;
  }

  /** What is shown somewhere is not forgotten: `numbers` names it. */
  heldBy(numbers: () => Iterable<number>): void {
    this.#holders.push(numbers);
  }

  has(seq: number): boolean {
    return this.#bySeq.has(seq);
  }

  get(seq: number): Logged | undefined {
    return this.#bySeq.get(seq);
  }

  said(seq: number): (Said & { seq: number }) | undefined {
    const message = this.#bySeq.get(seq);
    return message?.kind === 'said' ? message : undefined;
  }

  /** The quoted message as it is now; as it was, if it is not here. */
  quoteIn({ replyTo, quote }: Said): Quote | undefined {
    const quoted = replyTo === undefined || quote === undefined ? undefined : this.said(replyTo);
    return quoted === undefined ? quote : quoteOf(quoted);
  }

  see(event: MessageEvent & { seq: number }): void {
    this.put({ ...lineOf(event, this.#me(), () => ''), seq: event.seq });
  }

  /** The higher `rev` wins. A row with the same `rev` is the same row, and complete where mine was made from an ack. */
  put(message: Logged): void {
    const known = this.#bySeq.get(message.seq);
    if (known === undefined) this.#bySeq.set(message.seq, message);
    else if ((message.rev ?? 0) >= (known.rev ?? 0)) this.#bySeq.set(message.seq, { ...message, id: known.id });
  }

  /** A change of a message that is not here has no effect. */
  change(event: ChangedEvent): void {
    const known = this.said(event.seq);
    if (known !== undefined) this.put({ ...changedLine(known, event), seq: event.seq });
  }

  /** Messages up to `floor` are no longer in the log. */
  trim(floor: number): void {
    for (const seq of [...this.#bySeq.keys()]) if (seq <= floor) this.#bySeq.delete(seq);
  }

  /** The numbers begin again, perhaps with lower ones. Messages of these numbers stay the same lines. */
  startOver(seqs: ReadonlySet<number | undefined>): void {
    for (const [seq, message] of [...this.#bySeq]) {
      if (seqs.has(seq)) this.#bySeq.set(seq, { ...message, rev: undefined });
      else this.#bySeq.delete(seq);
    }
  }

  sweep(): void {
    if (this.#bySeq.size <= KEPT) return;
    const held = new Set(this.#holders.flatMap((numbers) => [...numbers()]));
    for (const seq of [...this.#bySeq.keys()]) if (!held.has(seq)) this.#bySeq.delete(seq);
  }
}
