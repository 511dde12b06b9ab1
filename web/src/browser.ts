/** The browser's socket, fetch and timers, with the interface that the client needs. */
import { failureOf, type Clock, type ErrorEvent, type Failure, type Network, type Probe } from 'hubbub-client';
import type { Stores } from './models/storage';

const PROBE_DEADLINE = 5_000;

export const clock: Clock = {
  now: () => Date.now(),
  after(milliseconds, callback) {
    const timer = setTimeout(callback, milliseconds);
    return () => clearTimeout(timer);
  },
};

export const network: Network = {
  open: (address, subprotocols) => new WebSocket(address, subprotocols),
  probe,
};

export const stores: Stores = {
  tab: sessionStorage,
  device: localStorage,
  scope: new URL(document.baseURI).pathname,
};

/** The page may be under any prefix, so the socket's address is relative to the page. */
export function socketAddress(): URL {
  const address = new URL('ws', document.baseURI);
  address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';
  address.hash = '';
  return address;
}

async function probe(address: string, headers: Record<string, string>): Promise<Probe> {
  const answer = await fetch(address.replace(/^ws/, 'http'), {
    cache: 'no-store',
    headers,
    signal: AbortSignal.timeout(PROBE_DEADLINE),
  });
  const seconds = Number(answer.headers.get('Retry-After') ?? NaN);
  return {
    status: answer.status,
    failure: await failureIn(answer),
    retryAfter: Number.isFinite(seconds) ? seconds * 1000 : null,
  };
}

/** An application's login answers with FastAPI's body of an `HTTPException`. A proxy may answer with anything. */
async function failureIn(answer: Response): Promise<Failure | null> {
  const body: unknown = await answer.json().catch(() => null);
  if (typeof body !== 'object' || body === null) return null;
  const { code, message, detail, errors } = body as Partial<ErrorEvent & { detail: unknown }>;
  if (typeof code === 'string' && typeof message === 'string') {
    const failure = failureOf({ type: 'error', code, message, errors });
    const said: unknown = errors?.[0]?.['msg'];
    return typeof said === 'string' ? { ...failure, message: said } : failure;
  }
  return typeof detail === 'string' ? { code: 'forbidden', message: detail } : null;
}
