/** What is pinned in a room, whether or not it is among the lines that are shown. */
import { SvelteMap } from 'svelte/reactivity';
import type { ChangedEvent, MessageEvent } from 'hubbub-client';

export interface Pinned {
  seq: number;
  rev: number;
  user: string;
  name: string;
  text: string;
}

export class Pins {
  #bySeq = new SvelteMap<number, Pinned>();
  /** Asked for rows that were pinned out of sight. */
  readonly #fetch: (seq: number) => void;

  readonly list: readonly Pinned[] = $derived([...this.#bySeq.values()].sort((a, b) => b.seq - a.seq));

  constructor(fetch: (seq: number) => void) {
    this.#fetch = fetch;
  }

  startOver(): void {
    this.#bySeq.clear();
  }

  saw({ seq, rev, user, name, text, pinned }: MessageEvent): void {
    if (seq === undefined || rev === undefined) return;
    if ((this.#bySeq.get(seq)?.rev ?? 0) > rev) return;
    if (pinned === true) this.#bySeq.set(seq, { seq, rev, user, name, text });
    else this.#bySeq.delete(seq);
  }

  changed({ seq, rev, text, deleted, pinned }: ChangedEvent, known: Omit<Pinned, 'rev'> | undefined): void {
    const before = this.#bySeq.get(seq);
    if (deleted !== undefined || pinned === false) this.#bySeq.delete(seq);
    else if (before !== undefined) this.#bySeq.set(seq, { ...before, rev, text: text ?? before.text });
    else if (pinned === true && known !== undefined) this.#bySeq.set(seq, { ...pick(known), rev });
    else if (pinned === true) this.#fetch(seq);
  }

  trim(floor: number): void {
    for (const seq of [...this.#bySeq.keys()]) if (seq <= floor) this.#bySeq.delete(seq);
  }
}

function pick({ seq, user, name, text }: Omit<Pinned, 'rev'>): Omit<Pinned, 'rev'> {
  return { seq, user, name, text };
}
