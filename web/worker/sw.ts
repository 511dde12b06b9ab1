/**
 * Keeps the page's files in the browser, so that the page opens while the server does not answer. It knows no messages.
 *
 * It answers two kinds of requests: for the page itself, from the network if that is possible, and for the build's files
 * in assets/, which never change. All other requests go their way as if it were not here.
 */

/** `scripts/worker.mjs` writes it before this code. */
declare const BUILD: {
  version: string;
  /** The script that index.html loads. */
  entry: string;
  files: string[];
};

const worker = self as unknown as ServiceWorkerGlobalScope;
const scope = new URL(worker.registration.scope).pathname;
/** Pages under several prefixes can share an origin. */
const OURS = `hubbub ${scope} `;
const PAGES = `${OURS}page `;
const CURRENT = PAGES + BUILD.version;

/** How long the network may take to answer before the stored page is shown, in milliseconds. */
const PATIENCE = 3_000;
/** A proxy says so when the server behind it does not answer. */
const UNREACHABLE = new Set([502, 503, 504]);
const GONE = new Set([404, 410]);

worker.addEventListener('install', (event) => event.waitUntil(store()));
worker.addEventListener('activate', (event) => event.waitUntil(takeOver()));
worker.addEventListener('fetch', (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== 'GET' || origin !== worker.location.origin) return;
  if (request.mode === 'navigate') {
    if (pathname === scope) event.respondWith(page(event));
  } else if (pathname.startsWith(`${scope}assets/`)) {
    event.respondWith(stored(request).then((file) => file ?? fetch(request)));
  }
});

async function store(): Promise<void> {
  const cache = await caches.open(CURRENT);
  const index = await download(scope, 'no-cache');
  // While servers of two builds are running, this may be the other one's. The browser tries again at the next load.
  if (!(await index.clone().text()).includes(BUILD.entry)) throw new Error('The page is of another build.');
  await cache.put(scope, index);
  await Promise.all(BUILD.files.map(async (file) => cache.put(scope + file, await download(scope + file, 'default'))));
  await worker.skipWaiting();
}

/** A proxy may ask for a login instead: what it sends is not stored. */
async function download(path: string, cache: RequestCache): Promise<Response> {
  const answer = await fetch(path, { cache, redirect: 'error' });
  const isPage = answer.headers.get('Content-Type')?.startsWith('text/html') === true;
  if (!answer.ok || isPage !== (path === scope)) throw new Error(`The server did not send ${path}.`);
  return answer;
}

/** Pages of older builds that are still open find their files until they are closed. */
async function takeOver(): Promise<void> {
  const { held = [] } = await worker.navigator.locks.query();
  // An open page holds a lock with the address of its script.
  const open = new Set(held.map(({ name }) => name));
  for (const name of await namesOf(PAGES)) {
    if (name === CURRENT) continue;
    const files = await (await caches.open(name)).keys();
    if (!files.some(({ url }) => open.has(url))) await caches.delete(name);
  }
  await worker.clients.claim();
}

/** Whatever the server itself says is shown, a refusal too. */
async function page(event: FetchEvent): Promise<Response> {
  const network = fetch(event.request);
  const late = new Promise<null>((resolve) => setTimeout(() => resolve(null), PATIENCE));
  const answer = await Promise.race([network.catch(() => null), late]);
  if (answer !== null && !UNREACHABLE.has(answer.status)) {
    event.waitUntil(leaveIfGone());
    return answer;
  }
  const index = await caches.match(scope, { cacheName: CURRENT, ignoreVary: true }).catch(() => undefined);
  return index ?? network;
}

async function stored(request: Request): Promise<Response | undefined> {
  try {
    for (const cacheName of await namesOf(PAGES)) {
      const file = await caches.match(request, { cacheName, ignoreVary: true });
      if (file !== undefined) return file;
    }
  } catch {
    // A browser may take the storage away at any time. The network has the file.
  }
  return undefined;
}

/** Browsers keep a worker whose file is gone. So a server without a page must be noticed here. */
async function leaveIfGone(): Promise<void> {
  const answer = await fetch(worker.location.href, { method: 'HEAD', cache: 'no-store' }).catch(() => null);
  if (answer === null || !GONE.has(answer.status)) return;
  await worker.registration.unregister();
  for (const name of await namesOf(OURS)) await caches.delete(name);
}

async function namesOf(prefix: string): Promise<string[]> {
  return (await caches.keys()).filter((name) => name.startsWith(prefix));
}
