/** The socket, fetch and timers that browsers and Node.js 22 both have, with the interface that the client needs. */
import type { Clock, Failure, Network, Probe, Socket } from './connection.js';
import type { ErrorEvent } from './protocol.js';
import { failureOf } from './requests.js';

const PROBE_DEADLINE = 5_000;

export const clock: Clock = {
  now: () => Date.now(),
  after(milliseconds, callback) {
    const timer = setTimeout(callback, milliseconds);
    return () => clearTimeout(timer);
  },
};

export const network: Network = {
  open(address, subprotocols) {
    if (typeof WebSocket === 'undefined') throw new Error(NO_WEBSOCKET);
    return new WebSocket(address, subprotocols);
  },
  probe,
  watch,
};

const NO_WEBSOCKET =
  'Here is no WebSocket. Use Node.js 22, or start Node.js 20 with --experimental-websocket, or give the client the class of ' +
  "a package: network: networkWith(WebSocket) with `import WebSocket from 'ws'`.";

/** For a Node.js without a WebSocket of its own, with the class of a package. */
export function networkWith(Class: new (address: string, subprotocols: string[]) => Socket): Network {
  return { open: (address, subprotocols) => new Class(address, subprotocols), probe, watch };
}

/** Node.js does not say whether there is a network. */
function watch(changed: (isOnline: boolean) => void): () => void {
  if (!('addEventListener' in globalThis)) return () => {};
  const up = () => changed(true);
  const down = () => changed(false);
  addEventListener('online', up);
  addEventListener('offline', down);
  return () => {
    removeEventListener('online', up);
    removeEventListener('offline', down);
  };
}

async function probe(address: string, headers: Record<string, string>): Promise<Probe> {
  const answer = await fetch(address.replace(/^ws/, 'http'), {
    cache: 'no-store',
    headers,
    signal: AbortSignal.timeout(PROBE_DEADLINE),
  });
  const body: unknown = await answer.json().catch(() => null);
  const seconds = Number(answer.headers.get('Retry-After') ?? NaN);
  return {
    status: answer.status,
    body,
    failure: failureIn(body),
    retryAfter: Number.isFinite(seconds) ? seconds * 1000 : null,
  };
}

/** An application's login answers with FastAPI's body of an `HTTPException`. A proxy may answer with anything. */
function failureIn(body: unknown): Failure | null {
  if (typeof body !== 'object' || body === null) return null;
  const { code, message, detail, errors } = body as Partial<ErrorEvent & { detail: unknown }>;
  if (typeof code === 'string' && typeof message === 'string') {
    const failure = failureOf({ type: 'error', code, message, errors });
    const said: unknown = errors?.[0]?.['msg'];
    return typeof said === 'string' ? { ...failure, message: said } : failure;
  }
  return typeof detail === 'string' ? { code: 'forbidden', message: detail } : null;
}
