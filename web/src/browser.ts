/** The browser's own socket, fetch and timers, in the shape that the client wants them. */
import type { Clock, Failure, Network, Probe } from 'hubbub-client';
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
  open: (address) => new WebSocket(address),
  probe,
};

export const stores: Stores = {
  tab: sessionStorage,
  device: localStorage,
  scope: new URL(document.baseURI).pathname,
};

/** The page may live under any prefix, so the socket's address is relative to it. */
export function socketAddress(): URL {
  const address = new URL('ws', document.baseURI);
  address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';
  address.hash = '';
  return address;
}

async function probe(address: string): Promise<Probe> {
  const answer = await fetch(address.replace(/^ws/, 'http'), {
    cache: 'no-store',
    signal: AbortSignal.timeout(PROBE_DEADLINE),
  });
  const seconds = Number(answer.headers.get('Retry-After') ?? NaN);
  return {
    status: answer.status,
    failure: await failureIn(answer),
    retryAfter: Number.isFinite(seconds) ? seconds * 1000 : null,
  };
}

/** An application's own login answers with what FastAPI makes of an `HTTPException`; a proxy between us, with anything. */
async function failureIn(answer: Response): Promise<Failure | null> {
  const body: unknown = await answer.json().catch(() => null);
  if (typeof body !== 'object' || body === null) return null;
  const { code, message, detail } = body as Partial<Failure & { detail: unknown }>;
  if (typeof code === 'string' && typeof message === 'string') return { code, message };
  return typeof detail === 'string' ? { code: 'forbidden', message: detail } : null;
}
