/**
 * Keeps the line that is read in its place while lines are added and removed above and below, and while the view's size
 * changes. It knows the DOM, and no chat.
 *
 * A browser reports a scroll without its cause: the reader, or a change of the layout (a keyboard that closes, a window
 * that is resized). Only a reader's scroll changes the kept line. It is recognised by the layout, which is the same as
 * when this module last set the position.
 */

/** At most this far from an edge counts as at the edge. */
const NEAR = 64;
/** Within this many screens of an edge, the next page is fetched. */
const SOON = 1.5;

export interface Mark {
  line: string;
  /** From the view's top edge to the line's lower edge: a line may gain or lose its name, which is at its top. */
  bottom: number;
}

export class Scroll {
  readonly #view: HTMLElement;
  #mark: Mark | null = null;
  /** The marked line. To look for it in hundreds of lines takes long. */
  #marked: HTMLElement | null = null;
  /** The scroll position and the layout when the mark was taken. */
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

  /** The browser reports a scroll. */
  scrolled(follows: boolean): void {
    if (this.#isLaidOutAsBefore) this.#moved();
    else this.hold(follows);
  }

  /** The lines are about to change. The browser reports a scroll only in its next frame, which may be too late. */
  beforeChange(): void {
    if (this.#view.scrollTop !== this.#top && this.#isLaidOutAsBefore) this.#moved();
  }

  /**
   * The lines or the view's size have changed. A reader at the end stays at the end, if it is the log's end. Any other
   * reader stays at the same line.
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

  /** The line that is read; null at the end. */
  get place(): Mark | null {
    return this.isAtEnd ? null : this.#mark;
  }

  /** Back to where a reader was. Returns false if the line is gone. */
  restore(place: Mark): boolean {
    const line = this.#find(place.line);
    if (line === null) return false;
    this.#view.scrollTop += this.#bottomOf(line) - place.bottom;
    this.#moved();
    return true;
  }

  toEnd(): void {
    this.#view.scrollTop = this.#view.scrollHeight;
    this.#moved();
  }

  /** Returns false if there is no such line. */
  toLine(id: string): boolean {
    const line = this.#find(id);
    if (line === null) return false;
    line.scrollIntoView({ block: 'center' });
    this.#moved();
    return true;
  }

  /** Keep the line that is visible now. */
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

  #find(id: string): HTMLElement | null {
    const marked = this.#marked;
    if (marked?.dataset['line'] === id && this.#view.contains(marked)) return marked;
    return this.#view.querySelector(`[data-line="${CSS.escape(id)}"]`);
  }

  /** First among the parts of the view, because the lines of parts that are not visible may not be laid out. */
  #firstInSight(): Mark | null {
    const parts = this.#view.firstElementChild?.children ?? [];
    for (let at = this.#firstBelow(parts); at < parts.length; at += 1) {
      const lines = parts[at]?.querySelectorAll<HTMLElement>('[data-line]') ?? [];
      const first = lines[this.#firstBelow(lines)];
      const id = first?.dataset['line'];
      if (first === undefined || id === undefined) continue;
      this.#marked = first;
      return { line: id, bottom: this.#bottomOf(first) };
    }
    return null;
  }

  /** The first that ends below the view's top edge. A binary search, because they are one below the other. */
  #firstBelow(elements: ArrayLike<Element>): number {
    let [low, high] = [0, elements.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const element = elements[middle];
      if (element !== undefined && this.#bottomOf(element) <= 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #bottomOf(element: Element): number {
    return element.getBoundingClientRect().bottom - this.#view.getBoundingClientRect().top;
  }
}
