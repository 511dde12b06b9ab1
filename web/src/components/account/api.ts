/** The server's REST API of accounts, as the page uses it. */
import type { Account } from '../../models/reception';
import { server, type ServerNames } from '../../models/server.svelte';
import { request } from '../../rest';

export interface ServerInfo extends ServerNames {
  accounts: boolean;
  sign_up: 'open' | 'invited' | 'closed';
  guests: boolean;
  providers: Provider[];
  /** A link for a new password can be sent. */
  mail: boolean;
}

/** Somebody else's log-in that counts here. */
export interface Provider {
  id: string;
  name: string;
}

export interface NewAccount {
  username: string;
  password: string;
  name?: string;
  invitation?: string;
  setup?: string;
}

/** Null if the server does not say: then it has no accounts for this page. */
export async function serverInfo(): Promise<ServerInfo | null> {
  const said = await request<ServerInfo>('GET', 'server').catch(() => null);
  if (said !== null) server.learn(said);
  return said;
}

/** `secret` is that of a guest, who keeps key and messages. */
export function signUp(account: NewAccount, secret: string | null): Promise<Account> {
  return request('POST', 'accounts', account, secret);
}

export function logIn(username: string, password: string): Promise<Account> {
  return request('POST', 'sessions', { username, password });
}

/** Returns the provider's address. A newcomer may carry the token of a link there and back. */
export async function beginAtProvider(
  carried: { invitation?: string; setup?: string },
  secret: string | null,
): Promise<string> {
  return (await request<{ url: string }>('POST', 'oidc', carried, secret)).url;
}

/** `account` is a username or an e-mail address. The answer is the same whether there is such an account. */
export function mailReset(account: string): Promise<void> {
  return request('POST', 'resets/mail', { account });
}

/** By the token of a link that was sent to the address. */
export function confirmEmail(token: string): Promise<void> {
  return request('POST', 'confirmations', { token });
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
