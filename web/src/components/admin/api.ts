/** What administrators do, by the server's REST API. */
import type { AuditLine } from '../../models/audit';
import { request } from '../../rest';
import type { Session } from '../settings/api';

export interface Account {
  key: string;
  username: string;
  name: string;
  role: 'member' | 'admin';
  color?: string;
  created: string;
  deactivated?: string;
}

export interface RoomInfo {
  room: string;
  title?: string;
  description?: string;
  archived?: boolean;
}

export interface Report {
  id: string;
  at: string;
  room: string;
  seq: number;
  author: string;
  text: string;
  by: string;
  reason: string;
  state: 'open' | 'closed';
  closed_by?: string;
}

export interface Ban {
  user: string;
  name: string;
  until?: string;
  by: string;
  at: string;
  reason?: string;
}

export const SCOPES = ['rooms:send', 'users:send', 'topics:publish', 'rooms:read', 'topics:follow'] as const;

export interface ApiKey {
  id: string;
  name: string;
  scopes: (typeof SCOPES)[number][];
  created: string;
  expires?: string;
}

export interface ServerSettings {
  name: string;
  sign_up: 'open' | 'invited' | 'closed';
  guests: 'auto' | 'on' | 'off';
  default_rooms: string[];
  limits: Record<string, number>;
  /** `operator`: it was set at the start, and cannot be changed here. */
  set_by: Record<string, 'default' | 'here' | 'operator'>;
}

/** Null goes back to what the server was started with. */
export type SettingChanges = {
  [Name in 'name' | 'sign_up' | 'guests' | 'default_rooms']?: ServerSettings[Name] | null;
} & { limits?: Record<string, number | null> };

interface Page<Item> {
  items: Item[];
  next?: string;
}

const at = (...parts: string[]) => parts.map(encodeURIComponent).join('/');

function query(fields: Record<string, string | undefined>): string {
  const given = Object.entries(fields).filter((field): field is [string, string] => Boolean(field[1]));
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
}

export async function accounts(q?: string, after?: string): Promise<Page<Account>> {
  const page = await request<{ accounts: Account[]; next?: string }>('GET', `accounts${query({ q, after })}`);
  return { items: page.accounts, next: page.next };
}

export const changeAccount = (key: string, change: { role?: Account['role']; deactivated?: boolean }) =>
  request<Account>('PATCH', `accounts/${at(key)}`, change);
export const resetLink = (key: string) => request<{ url: string }>('POST', `accounts/${at(key)}/reset-link`);

export const sessionsOf = (key: string) => request<Session[]>('GET', `accounts/${at(key)}/sessions`);
export const endSessionOf = (key: string, id: string) =>
  request<void>('DELETE', `accounts/${at(key)}/sessions/${at(id)}`);
export const endSessionsOf = (key: string) => request<void>('DELETE', `accounts/${at(key)}/sessions`);

/** A room that nobody has made with a title has no settings: then only its key is known. */
export const roomInfo = (room: string) => request<RoomInfo>('GET', `rooms/${at(room)}/members`);
export const changeRoom = (room: string, change: Partial<Omit<RoomInfo, 'room'>>) =>
  request<unknown>('POST', `rooms/${at(room)}/change_room`, change);

export async function reports(state: Report['state'], before?: string): Promise<Page<Report>> {
  const page = await request<{ reports: Report[]; next?: string }>('GET', `reports${query({ state, before })}`);
  return { items: page.reports, next: page.next };
}

export const changeReport = (id: string, state: Report['state']) =>
  request<Report>('PATCH', `reports/${at(id)}`, { state });

export const bans = async () => (await request<{ bans: Ban[] }>('GET', 'bans')).bans;
/** Without `seconds` for ever. */
export const ban = (user: string, { seconds, reason }: { seconds?: number; reason?: string }) =>
  request<void>('PUT', `bans/${at(user)}`, {
    until: seconds === undefined ? undefined : inSeconds(seconds),
    reason: reason === '' ? undefined : reason,
  });
export const liftBan = (user: string) => request<void>('DELETE', `bans/${at(user)}`);

export const apiKeys = async () => (await request<{ tokens: ApiKey[] }>('GET', 'tokens')).tokens;
export const makeApiKey = (name: string, scopes: readonly string[], seconds: number | undefined) =>
  request<ApiKey & { token: string }>('POST', 'tokens', {
    name,
    scopes,
    expires: seconds === undefined ? undefined : inSeconds(seconds),
  });
export const revokeApiKey = (id: string) => request<void>('DELETE', `tokens/${at(id)}`);

export const serverSettings = () => request<ServerSettings>('GET', 'settings');
export const changeSettings = (changes: SettingChanges) => request<ServerSettings>('PATCH', 'settings', changes);

export async function audit(action: string, before?: string): Promise<Page<AuditLine>> {
  const page = await request<{ lines: AuditLine[]; next?: string }>('GET', `audit${query({ action, before })}`);
  return { items: page.lines, next: page.next };
}

/** As times are on the wire. */
function inSeconds(seconds: number): string {
  return new Date(Date.now() + seconds * 1000).toISOString();
}
