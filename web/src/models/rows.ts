/** How lines stand on the page: under days, and gathered where one person goes on talking. */
import type { Announced, Line, Missed, Moved, Said } from './lines';

export interface Day {
  kind: 'day';
  id: string;
  at: number;
}

export interface Talk {
  kind: 'talk';
  id: string;
  user: string;
  name: string;
  isMine: boolean;
  at: number;
  messages: Said[];
}

export type Row = Day | Talk | Announced | Moved | Missed;

/** After this much silence, a name and a time are worth repeating. */
const PAUSE = 5 * 60_000;

export function arrange(lines: readonly Line[]): Row[] {
  const rows: Row[] = [];
  let day = '';
  for (const line of lines) {
    const itsDay = new Date(line.at).toDateString();
    if (itsDay !== day) {
      day = itsDay;
      rows.push({ kind: 'day', id: `day of ${line.id}`, at: line.at });
    }
    const last = rows.at(-1);
    if (line.kind !== 'said') {
      rows.push(line);
    } else if (last?.kind === 'talk' && continues(last, line)) {
      last.messages.push(line);
    } else {
      const { id, user, name, isMine, at } = line;
      rows.push({ kind: 'talk', id: `talk from ${id}`, user, name, isMine, at, messages: [line] });
    }
  }
  return rows;
}

function continues(talk: Talk, line: Said): boolean {
  const previous = talk.messages.at(-1)?.at ?? talk.at;
  const isSamePerson = talk.isMine ? line.isMine : talk.user === line.user && talk.name === line.name;
  return isSamePerson && line.at - previous < PAUSE;
}
