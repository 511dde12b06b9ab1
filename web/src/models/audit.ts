/** A line of the audit log as a sentence. */

export interface AuditLine {
  id: string;
  at: string;
  /** A user's key, or `console`. */
  actor: string;
  action: string;
  target: string;
  detail: Record<string, unknown>;
}

/** By action, and by action and variant after a colon. Names stand in braces. */
export type AuditTemplates = Record<'other', string> & Record<string, string>;

export interface AuditSpeech {
  templates: AuditTemplates;
  /** Who acts, if it is the command line. */
  console: string;
  /** What somebody becomes in a room. */
  roles: Record<string, string>;
  /** What the settings of the server are called. */
  settings: Record<string, string>;
  /** A time in words. */
  momentOf: (time: string) => string;
}

export function sentenceFor(line: AuditLine, { templates, console, roles, settings, momentOf }: AuditSpeech): string {
  const { actor, action, target, detail } = line;
  const template = templates[`${action}:${variantOf(line)}`] ?? templates[action] ?? templates.other;
  const values: Record<string, string> = {
    who: actor === 'console' ? console : isolated(actor),
    target: isolated(action === 'settings.change' ? (settings[target] ?? target) : target),
    action,
    room: isolated(textIn(detail, 'room')),
    role: roles[textIn(detail, 'role')] ?? textIn(detail, 'role'),
    until: isTime(detail['until']) ? momentOf(String(detail['until'])) : '',
  };
  return template.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? '').trim();
}

function variantOf({ actor, action, target, detail }: AuditLine): string {
  if (actor === target) return 'self';
  if (action === 'account.role') return textIn(detail, 'role');
  if (typeof detail['archived'] === 'boolean') return detail['archived'] ? 'on' : 'off';
  if (detail['until'] === 'now') return 'now';
  return isTime(detail['until']) ? '' : 'ever';
}

function isTime(value: unknown): boolean {
  return (typeof value === 'string' || typeof value === 'number') && !Number.isNaN(new Date(value).getTime());
}

function textIn(detail: Record<string, unknown>, name: string): string {
  const value = detail[name];
  return typeof value === 'string' ? value : '';
}

/** The direction of a name does not change that of the sentence. */
function isolated(name: string): string {
  return name === '' ? '' : `\u2068${name}\u2069`;
}
