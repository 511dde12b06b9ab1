/** What a refusal means, in a sentence for the user. */
import type { Failure } from 'hubbub-client';
import { words } from './language.svelte';

/** How the server's own refusals begin. */
const OWN = /^(you may not|join room|only who wrote) /;

/** For an application's own rule, show the application's message. */
export function sentenceOf({ code, message, field }: Failure): string {
  const { fields, otherField, codes, notAllowed, refused } = words().failures;
  if (code === 'invalid' && field !== undefined) return entryOf(fields, field) ?? otherField;
  if (code === 'forbidden' && OWN.test(message)) return notAllowed;
  return entryOf(codes, code) ?? refused(code, asSentence(message));
}

function entryOf(sentences: Record<string, string>, name: string): string | undefined {
  return Object.hasOwn(sentences, name) ? sentences[name] : undefined;
}

/** The server's messages are clauses without a capital letter and a full stop. */
function asSentence(clause: string): string {
  const [first = '', ...rest] = clause.trim();
  const sentence = first.toLocaleUpperCase() + rest.join('');
  return /[.!?…]$/.test(sentence) ? sentence : `${sentence}.`;
}
