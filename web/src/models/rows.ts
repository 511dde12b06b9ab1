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

export type Row = Day | Message | Announced | Moved | Missed | Unread;

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

  /** `unread` is the id of the first line that is new to the reader, if there is one. */
  rowsOf(lines: readonly Line[], unread: string | null = null): Row[] {
    return lines.flatMap((line, index) => {
      // The divider stands between two groups.
      const before = line.id === unread ? undefined : lines[index - 1];
      const after = lines[index + 1]?.id === unread ? undefined : lines[index + 1];
      const row = line.kind === 'said' ? this.#messageRow(line, before, after) : line;
      const above = this.#above(line, lines[index - 1]);
      return line.id === unread ? [...above, UNREAD, row] : above.length > 0 ? [...above, row] : row;
    });
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
