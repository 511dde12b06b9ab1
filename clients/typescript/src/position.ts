/**
 * Where one room's view stands in its log, and what that means for the next event. Positions come
 * from events alone: an `ack` never moves one, because it may overtake the events before it.
 */
export type Verdict =
  | 'apply'
  /** Already part of the view. */
  | 'skip'
  /** Something before it is missing: join again from this position. */
  | 'gap';

export class Position {
  #rev: number | undefined;
  #epoch: string | undefined;

  get rev(): number | undefined {
    return this.#rev;
  }

  /** Names one unbroken life of the numbers; sent back so that a rewound database is noticed. */
  get epoch(): string | undefined {
    return this.#epoch;
  }

  /** An event that is the change `rev`. Rooms that store nothing number nothing, and all applies. */
  see(rev: number | undefined): Verdict {
    if (rev === undefined || this.#rev === undefined) return 'apply';
    if (rev <= this.#rev) return 'skip';
    if (rev > this.#rev + 1) return 'gap';
    this.#rev = rev;
    return 'apply';
  }

  /** Every change in (`since`, `rev`] at once. An `epoch` may be a newer one that goes on where the last one ended. */
  catchUp(since: number | undefined, rev: number | undefined, epoch = this.#epoch): Verdict {
    if (rev === undefined) return 'apply';
    if (since !== undefined && since > (this.#rev ?? 0)) return 'gap';
    if (this.#rev !== undefined && rev < this.#rev) return 'skip';
    this.#rev = rev;
    this.#epoch = epoch;
    return 'apply';
  }

  /** The view is thrown away and begins here. */
  startOver(rev: number | undefined, epoch: string): void {
    this.#rev = rev;
    this.#epoch = epoch;
  }
}
