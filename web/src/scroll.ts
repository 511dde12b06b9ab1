/**
 * Holds what one reads where it is while lines come and go above and below, and while the room for them changes. Knows
 * the DOM, and no chat.
 *
 * A browser tells of a scroll without saying whose it was: the reader's, or its own because the layout changed under
 * them (a keyboard that closes, a window that is resized). Only the reader's moves what is held, and it is known by the
 * layout being the same as when the view was last put in its place.
 */

/** So near to an edge counts as at it. */
const NEAR = 64;
/** Within so many screens of an edge, what comes next is fetched. */
const SOON = 1.5;

interface Mark {
  line: string;
  /** From the view's top edge to the line's lower one: a line gains and loses its name above, not what is below. */
  bottom: number;
}

export class Scroll {
  readonly #view: HTMLElement;
  #mark: Mark | null = null;
  /** Where the view stood when the mark was taken, and how it was laid out. */
  #top = 0;
  #layout = '';
  isAtEnd = true;

  constructor(view: HTMLElement) {
    this.#view = view;
  }

  get isNearStart(): boolean {
    return this.#view.scrollTop < SOON * this.#view.clientHeight;
  }

  get isNearEnd(): boolean {
    return this.#below < SOON * this.#view.clientHeight;
  }

  /** The browser tells of a scroll. */
  scrolled(follows: boolean): void {
    if (this.#isLaidOutAsBefore) this.#moved();
    else this.hold(follows);
  }

  /** The lines are about to change. The browser tells of a scroll with its next frame only, which may be too late. */
  beforeChange(): void {
    if (this.#view.scrollTop !== this.#top && this.#isLaidOutAsBefore) this.#moved();
  }

  /**
   * The lines have changed, or the room for them: whoever was at the end follows it if it is the log's end, and
   * everybody else goes on reading the same line.
   */
  hold(follows: boolean): void {
    const isHeld = this.#mark !== null && !(follows && this.isAtEnd);
    const line = isHeld && this.#mark !== null ? this.#find(this.#mark.line) : null;
    if (line === null || this.#mark === null) this.toEnd();
    else {
      this.#view.scrollTop += this.#bottomOf(line) - this.#mark.bottom;
      this.#stands();
    }
  }

  toEnd(): void {
    this.#view.scrollTop = this.#view.scrollHeight;
    this.#moved();
  }

  /** False if there is no such line. */
  toLine(id: string): boolean {
    const line = this.#find(id);
    if (line === null) return false;
    line.scrollIntoView({ block: 'center' });
    this.#moved();
    return true;
  }

  /** What is in sight now is to be held. */
  #moved(): void {
    this.isAtEnd = this.#below < NEAR;
    this.#mark = this.#firstInSight();
    this.#stands();
  }

  #stands(): void {
    this.#top = this.#view.scrollTop;
    this.#layout = this.#layoutNow;
  }

  get #layoutNow(): string {
    const { clientWidth, clientHeight, scrollHeight } = this.#view;
    return `${clientWidth} ${clientHeight} ${scrollHeight}`;
  }

  get #isLaidOutAsBefore(): boolean {
    return this.#layoutNow === this.#layout;
  }

  get #below(): number {
    return this.#view.scrollHeight - this.#view.scrollTop - this.#view.clientHeight;
  }

  get #lines(): NodeListOf<HTMLElement> {
    return this.#view.querySelectorAll('[data-line]');
  }

  #find(id: string): HTMLElement | null {
    return this.#view.querySelector(`[data-line="${CSS.escape(id)}"]`);
  }

  /** Lines stand one below the other, so a few looks find it. */
  #firstInSight(): Mark | null {
    const lines = this.#lines;
    let [low, high] = [0, lines.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const line = lines[middle];
      if (line !== undefined && this.#bottomOf(line) <= 0) low = middle + 1;
      else high = middle;
    }
    const first = lines[low];
    const id = first?.dataset['line'];
    return first === undefined || id === undefined ? null : { line: id, bottom: this.#bottomOf(first) };
  }

  #bottomOf(line: HTMLElement): number {
    return line.getBoundingClientRect().bottom - this.#view.getBoundingClientRect().top;
  }
}
