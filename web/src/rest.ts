/** The server's REST API. In a browser it is beside the page, and the cookie of a log-in goes with each request. */
import { failureOf, type ErrorEvent, type Failure } from 'hubbub-client';
import { Refused } from './models/refused';

/** Rejects with `Refused`. `secret` is that of a guest. */
export async function request<T>(
  method: string,
  path: string,
  body?: object,
  secret: string | null = null,
): Promise<T> {
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
