/** The words of the dialogs in which people make rooms and care for them. They are loaded with these dialogs, in all
 * languages together. */
import type { Failure, RoomRole } from 'hubbub-client';
import { sentenceOf } from './failures';
import { formats, type Tag } from './language.svelte';
import { de } from './managing/de';
import { en, type ManagingWords } from './managing/en';
import { es } from './managing/es';
import { zh } from './managing/zh';

export type { ManagingWords };

export const MANAGING_WORDS: Record<Tag, ManagingWords> = { en, de, es, 'zh-Hans': zh };

/** What was asked when the server refused. */
export type Asked = 'create' | 'invite' | 'change' | 'leave' | 'role' | 'person' | 'report' | 'list';

/** Why it was refused, in a sentence. An application's own refusal is shown in the application's words. */
export function refusalOf(failure: Failure, asked: Asked, { failures }: ManagingWords): string {
  const { code, field } = failure;
  if (code === 'closed') return failures.closed;
  if (code === 'unknown_type') return failures.unknown;
  if (code === 'forbidden') return asked === 'person' ? failures.notBelow : failures.forbidden;
  if (code === 'not_found') return asked === 'list' || asked === 'report' ? sentenceOf(failure) : failures.notFound;
  if (code === 'conflict') {
    if (asked === 'create') return failures.exists;
    return asked === 'invite' ? failures.banned : failures.ownerFirst;
  }
  if (code === 'invalid' && field === 'room') return failures.badName;
  if (code === 'invalid' && field === 'title') return failures.badTitle;
  if (code === 'invalid' && field === 'reason') return failures.reason;
  if (code === 'invalid' && field === 'until') return failures.past;
  return sentenceOf(failure);
}

export function roleName({ person }: ManagingWords, role: RoomRole | undefined): string {
  return person.roles[role ?? 'nobody'];
}

/** Until when somebody is muted or banned, as the protocol says it. */
export function untilIn({ person }: ManagingWords, until: string): string {
  return until === 'for_ever' ? person.forEver : person.until(shortTime(until));
}

/** The day is left out if it is today. */
export function shortTime(time: string): string {
  const [at, now] = [Date.parse(time), Date.now()];
  const { timeOf, dayOf } = formats();
  const isToday = new Date(at).toDateString() === new Date(now).toDateString();
  return isToday ? timeOf(at) : `${dayOf(at, now)}, ${timeOf(at)}`;
}

export function durationIn(tag: Tag, seconds: number): string {
  const unit =
    seconds > 3600 && seconds % 3600 === 0 ? 'hour' : seconds > 60 && seconds % 60 === 0 ? 'minute' : 'second';
  const value = seconds / { hour: 3600, minute: 60, second: 1 }[unit];
  return new Intl.NumberFormat(tag, { style: 'unit', unit, unitDisplay: 'long' }).format(value);
}
