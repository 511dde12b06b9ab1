/** Where one can be in the page, and the part of the address after `#` that says so. */
import { fold, isKey } from 'hubbub-client';

export type Panel = 'settings' | 'admin';

export type Route =
  /** The address names no room. */
  | { kind: 'start' }
  /** A room, and one of its messages if the address leads to that one. */
  | { kind: 'room'; room: string; message?: number }
  /** A dialog over the page, at one of its tabs; at the first one if the address names none. */
  | { kind: 'panel'; panel: Panel; tab: string }
  /** An address that cannot be that of a room or a message. */
  | { kind: 'wrong'; text: string };

/** The server makes the keys of these rooms. */
export function kindOf(room: string): 'public' | 'private' | 'direct' {
  if (/^private:/i.test(room)) return 'private';
  return /^dm:/i.test(room) ? 'direct' : 'public';
}

/** The part of a wrong address that the page shows. */
const SHOWN = 64;
/** No key of a room begins with a slash. */
const PANEL = /^\/(settings|admin)(?:\/([a-z]*))?$/;
const NUMBER = /^[1-9]\d{0,14}$/;

export function routeIn(hash: string): Route {
  const text = decoded(hash.replace(/^#/, ''));
  if (text === '') return { kind: 'start' };
  const [, panel, tab = ''] = PANEL.exec(text) ?? [];
  if (panel !== undefined) return { kind: 'panel', panel: panel as Panel, tab };
  const [room = '', message, ...more] = text.split('/');
  if (isKey(room) && message === undefined) return { kind: 'room', room };
  if (isKey(room) && message !== undefined && NUMBER.test(message) && more.length === 0) {
    return { kind: 'room', room, message: Number(message) };
  }
  return { kind: 'wrong', text: [...text].slice(0, SHOWN).join('') };
}

/** `routeIn` reads it back. */
export function addressOf(room: string, message?: number): string {
  return message === undefined ? `#${room}` : `#${room}/${message}`;
}

export function addressOfPanel(panel: Panel, tab: string): string {
  return `#/${panel}/${tab}`;
}

export function isIn(route: Route, room: string): boolean {
  return route.kind === 'room' && fold(route.room) === fold(room);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
