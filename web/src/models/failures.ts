/** What a refusal means, in a sentence for the user. All these sentences are here. */
import type { Failure } from 'hubbub-client';

/** For a wrong field that the user typed. */
const OF_FIELDS: Record<string, string> = {
  emoji: 'That is not one emoji.',
  room: 'No room can have that name.',
  text: 'This text is too long, or holds characters that cannot be sent.',
};

const OF_CODES: Partial<Record<Failure['code'], string>> = {
  internal: 'Something went wrong on the server. Try again in a moment.',
  not_found: 'That is not there any more.',
  rate_limited: 'That was too fast. Wait a moment and try again.',
  unavailable: 'The server cannot do that right now. Try again in a moment.',
  unknown_type: 'This page and its server do not fit together. Reload the page.',
};

/** For an application's own rule, show the application's message. */
export function sentenceOf({ code, message, field }: Failure): string {
  if (code === 'invalid' && field !== undefined) return OF_FIELDS[field] ?? 'The server did not understand that.';
  return OF_CODES[code] ?? asSentence(message);
}

/** The server's messages are clauses without a capital letter and a full stop. */
function asSentence(clause: string): string {
  const [first = '', ...rest] = clause.trim();
  const sentence = first.toLocaleUpperCase() + rest.join('');
  return /[.!?…]$/.test(sentence) ? sentence : `${sentence}.`;
}
