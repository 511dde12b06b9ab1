/** The arrangement of lines: under days, and grouped while one person continues to talk. */
import type { Announced, Line, Missed, Moved, Said } from './lines';

export interface Day {
  kind: 'day';
  id: string;
  at: number;
}

export interface Message {
  kind: 'message';
  id: string;
  message: Said;
  /** The first message of a group: it shows the name, picture and time. */
  opens: boolean;
  /** The last message of a group. */
  closes: boolean;
}

/** Everything below is new to the reader. */
export interface Unread {
  kind: 'unread';
  id: 'unread';
}

/** Messages of people whom the reader does not want to hear, one after another. */
export interface Folded {
  kind: 'folded';
  id: string;
  messages: readonly Said[];
}

export type Row = Day | Message | Folded | Announced | Moved | Missed | Unread;

const UNREAD: Unread = { kind: 'unread', id: 'unread' };

/** After a pause of this length, name and time are shown again. */
const PAUSE = 5 * 60_000;

/**
 * Each message is a row of its own, so that no row is rendered again when older ones come above it. A line that has not
 * changed keeps its row, so that a new message costs one row and not all of them.
 */
export class Arrangement {
  readonly #dates = new WeakMap<Line, string>();
  readonly #messages = new WeakMap<Said, Message>();
  readonly #days = new WeakMap<Line, Day>();
  /** By the first message of each. */
  readonly #folded = new WeakMap<Said, Folded>();

  /**
   * `unread` is the id of the first line that is new to the reader, if there is one. `isFolded` says which messages are
   * not shown.
   */
  rowsOf(lines: readonly Line[], unread: string | null = null, isFolded: (message: Said) => boolean = none): Row[] {
    const hides = (line: Line | undefined) => line?.kind === 'said' && isFolded(line);
    return lines.flatMap((line, index) => {
      // The divider stands between two groups.
      const before = line.id === unread ? undefined : lines[index - 1];
      const after = lines[index + 1]?.id === unread ? undefined : lines[index + 1];
      const above = this.#above(line, lines[index - 1]);
      const isHidden = hides(line);
      if (isHidden && above.length === 0 && hides(before)) return [];
      const row = isHidden
        ? this.#foldedRow(lines, index, unread, hides)
        : line.kind === 'said'
          ? this.#messageRow(line, hides(before) ? undefined : before, hides(after) ? undefined : after)
          : line;
      return line.id === unread ? [...above, UNREAD, row] : above.length > 0 ? [...above, row] : row;
    });
  }

  /** From the line at `start` to the last one that stands in the same group. */
  #foldedRow(
    lines: readonly Line[],
    start: number,
    unread: string | null,
    hides: (line: Line | undefined) => boolean,
  ): Folded {
    const messages = [lines[start] as Said];
    for (const line of lines.slice(start + 1)) {
      const last = messages.at(-1) as Said;
      if (!hides(line) || line.id === unread || !this.#areOfOneDay(last, line)) break;
      messages.push(line as Said);
    }
    const first = messages[0] as Said;
    const known = this.#folded.get(first);
    if (known?.messages.length === messages.length && known.messages.at(-1) === messages.at(-1)) return known;
    const row: Folded = { kind: 'folded', id: `folded ${first.id}`, messages };
    this.#folded.set(first, row);
    return row;
  }

  #above(line: Line, before: Line | undefined): Row[] {
    return before !== undefined && this.#areOfOneDay(before, line) ? [] : [this.#dayRow(line)];
  }

  #messageRow(message: Said, before: Line | undefined, after: Line | undefined): Message {
    const opens = before === undefined || !this.#continues(before, message);
    const closes = after === undefined || !this.#continues(message, after);
    const known = this.#messages.get(message);
    if (known !== undefined && known.opens === opens && known.closes === closes) return known;
    const row: Message = { kind: 'message', id: message.id, message, opens, closes };
    this.#messages.set(message, row);
    return row;
  }

  #dayRow(first: Line): Day {
    const known = this.#days.get(first);
    if (known !== undefined) return known;
    const row: Day = { kind: 'day', id: `day of ${first.id}`, at: first.at };
    this.#days.set(first, row);
    return row;
  }

  #continues(last: Line, next: Line): boolean {
    if (last.kind !== 'said' || next.kind !== 'said') return false;
    const isSamePerson = last.isMine ? next.isMine : last.user === next.user && last.name === next.name;
    return isSamePerson && next.at - last.at < PAUSE && this.#areOfOneDay(last, next);
  }

  #areOfOneDay(one: Line, other: Line): boolean {
    return this.#dateOf(one) === this.#dateOf(other);
  }

  #dateOf(line: Line): string {
    const known = this.#dates.get(line);
    if (known !== undefined) return known;
    const date = new Date(line.at).toDateString();
    this.#dates.set(line, date);
    return date;
  }
}

function none(): boolean {
  return false;
}
