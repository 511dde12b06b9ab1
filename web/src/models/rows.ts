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

export type Row = Day | Message | Announced | Moved | Missed;

/** After a pause of this length, name and time are shown again. */
const PAUSE = 5 * 60_000;

/** Each message is a row of its own, so that no row is rendered again when older ones come above it. */
export function arrange(lines: readonly Line[]): Row[] {
  const rows: Row[] = [];
  let day = '';
  for (const line of lines) {
    const itsDay = new Date(line.at).toDateString();
    if (itsDay !== day) {
      day = itsDay;
      rows.push({ kind: 'day', id: `day of ${line.id}`, at: line.at });
    }
    if (line.kind === 'said') rows.push(following(rows.at(-1), line));
    else rows.push(line);
  }
  return rows;
}

function following(last: Row | undefined, message: Said): Message {
  const opens = last?.kind !== 'message' || !continues(last.message, message);
  if (!opens) last.closes = false;
  return { kind: 'message', id: message.id, message, opens, closes: true };
}

function continues(last: Said, next: Said): boolean {
  const isSamePerson = last.isMine ? next.isMine : last.user === next.user && last.name === next.name;
  return isSamePerson && next.at - last.at < PAUSE;
}
