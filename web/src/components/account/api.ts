/** The server's REST API of accounts, as the page uses it. */
import { failureOf, type ErrorEvent, type Failure } from 'hubbub-client';
import type { Account } from '../../models/reception';

export interface ServerInfo {
  accounts: boolean;
  sign_up: 'open' | 'invited' | 'closed';
  guests: boolean;
}

export interface NewAccount {
  username: string;
  password: string;
  name?: string;
  invitation?: string;
  setup?: string;
}

/** The server said no, or nothing. */
export class Refused extends Error {
  constructor(readonly failure: Failure) {
    super(failure.message);
  }
}

/** Null if the server does not say: then it has no accounts for this page. */
export async function serverInfo(): Promise<ServerInfo | null> {
  return request<ServerInfo>('GET', 'server').catch(() => null);
}

/** `secret` is that of a guest, who keeps key and messages. */
export function signUp(account: NewAccount, secret: string | null): Promise<Account> {
  return request('POST', 'accounts', account, secret);
}

export function logIn(username: string, password: string): Promise<Account> {
  return request('POST', 'sessions', { username, password });
}

/** Also removes the cookie of a session that has ended. */
export function logOut(): Promise<void> {
  return request('DELETE', 'sessions/current');
}

export function changePassword(old: string, password: string): Promise<void> {
  return request('PUT', 'me/password', { old, new: password });
}

export function resetPassword(token: string, password: string): Promise<void> {
  return request('POST', 'resets', { token, password });
}

async function request<T>(method: string, path: string, body?: object, secret: string | null = null): Promise<T> {
  // A page of another site cannot send the first one.
  const headers: Record<string, string> = { 'Hubbub-CSRF': '1' };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (secret !== null) headers['Hubbub-Secret'] = encoded(secret);
  const address = new URL(`api/v1/${path}`, document.baseURI);
  const unreachable: Failure = { code: 'closed', message: '' };
  const answer = await fetch(address, { method, headers, body: JSON.stringify(body), cache: 'no-store' }).catch(() => {
    throw new Refused(unreachable);
  });
  const said: unknown = await answer.json().catch(() => null);
  if (answer.ok) return said as T;
  const { code, message, errors } = (said ?? {}) as Partial<ErrorEvent>;
  if (code === undefined || message === undefined) throw new Refused(unreachable);
  throw new Refused(failureOf({ type: 'error', code, message, errors }));
}

/** As the server expects it in a header: base64url without padding. */
function encoded(secret: string): string {
  const bytes = String.fromCharCode(...new TextEncoder().encode(secret));
  return btoa(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
