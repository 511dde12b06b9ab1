/** What the browser stores for a start without the server: the page's files, and the messages that were seen last. */
import { stores } from './browser';
import type { Archive } from './models/seen';

let isStored = false;

/** Tells later builds that a page of this one is open: they keep its files as long (see worker/sw.ts). */
export function staysOpen(): void {
  navigator.locks?.request(import.meta.url, { mode: 'shared' }, () => new Promise(() => {})).catch(warn);
}

/** Has the browser store the page. Only pages on HTTPS or on this machine may do so. */
export function storePage(): void {
  if (isStored || !import.meta.env.PROD || !('serviceWorker' in navigator)) return;
  isStored = true;
  navigator.serviceWorker.register(new URL('sw.js', document.baseURI), { updateViaCache: 'none' }).catch(warn);
}

const PLACE = `hubbub ${stores.scope} seen`;

/** Texts in the browser's cache, under addresses that nobody asks for. */
class CachedTexts implements Archive {
  async names(): Promise<string[]> {
    const cache = await caches.open(PLACE);
    const requests = await cache.keys();
    return requests.map(({ url }) => decodeURIComponent(new URL(url).search.slice(1)));
  }

  async load(name: string): Promise<string | null> {
    const cache = await caches.open(PLACE);
    const found = await cache.match(this.#addressOf(name));
    return found === undefined ? null : found.text();
  }

  async keep(name: string, text: string): Promise<void> {
    const cache = await caches.open(PLACE);
    await cache.put(this.#addressOf(name), new Response(text));
  }

  async forget(name: string): Promise<void> {
    const cache = await caches.open(PLACE);
    await cache.delete(this.#addressOf(name));
  }

  #addressOf(name: string): URL {
    return new URL(`seen?${encodeURIComponent(name)}`, document.baseURI);
  }
}

export const archive: Archive | undefined = 'caches' in globalThis ? new CachedTexts() : undefined;

function warn(error: unknown): void {
  console.warn('The page does not open without the server:', error);
}
