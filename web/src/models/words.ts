/** Sentences about people. */
const list = new Intl.ListFormat('en', { type: 'conjunction' });
const number = new Intl.NumberFormat('en');

export function countOf(online: number): string {
  return `${number.format(online)} online`;
}

export function typingWords(names: readonly string[]): string {
  if (names.length === 0) return '';
  if (names.length > 3) return 'Several people are typing';
  return `${list.format(names)} ${names.length === 1 ? 'is' : 'are'} typing`;
}

export function movementWords(came: readonly string[], went: readonly string[]): string {
  const parts = [came.length > 0 ? `${someOf(came)} joined` : '', went.length > 0 ? `${someOf(went)} left` : ''];
  return parts.filter((part) => part !== '').join(' · ');
}

export function newWords(count: number): string {
  return `${count > 99 ? '99+' : count} new`;
}

export function pinnedWords(count: number): string {
  return `${number.format(count)} pinned`;
}

/** `names` are some of the `count` who reacted. */
export function reactionWords(emoji: string, names: readonly string[], count: number): string {
  const others = count - names.length;
  const rest = others > 0 ? [`${number.format(others)} ${others === 1 ? 'other' : 'others'}`] : [];
  return `${emoji} ${number.format(count)}, by ${list.format([...names, ...rest])}`;
}

interface Spoken {
  who: string;
  text: string;
  time: string;
  /** Remarks about it: "edited", "not sent". */
  marks: readonly string[];
  answers?: string;
}

/** A message for screen readers: who says what, and when. */
export function spokenWords({ who, text, time, marks, answers }: Spoken): string {
  const speaker = answers === undefined ? who : `${who}, answering ${answers}`;
  return `${speaker}: ${[text, time, ...marks].join(', ')}`;
}

function someOf(names: readonly string[]): string {
  if (names.length <= 4) return list.format(names);
  return list.format([...names.slice(0, 3), `${number.format(names.length - 3)} others`]);
}
