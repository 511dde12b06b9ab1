/** Loads the parts of the page that the first messages do not need (components/later.ts). */

/** Safari cannot say when it has nothing to do. */
const SOON = 200;
/** In a busy room, the browser always has something to do. */
const PATIENCE = 2_000;

type Parts = typeof import('./components/later');

let parts: Promise<Parts> | undefined;
let partsWhenIdle: Promise<Parts> | undefined;

/** Now. A browser takes its time for an import, even of what it has: what was loaded once is there before the next key. */
export function later(): Promise<Parts> {
  parts ??= import('./components/later').catch((error: unknown) => {
    // The next who needs them tries again.
    parts = partsWhenIdle = undefined;
    throw error;
  });
  return parts;
}

let begin = () => {};
const begun = new Promise<void>((resolve) => (begin = resolve));

/** The first messages are here, or do not come now: the other parts may be loaded. */
export function mayLoad(): void {
  begin();
}

/** When the browser has drawn what is due, and has nothing better to do. */
export function laterWhenIdle(): Promise<Parts> {
  partsWhenIdle ??= begun.then(whenIdle).then(later);
  return partsWhenIdle;
}

function whenIdle(): Promise<void> {
  return new Promise((resolve) => {
    if ('requestIdleCallback' in globalThis) requestIdleCallback(() => resolve(), { timeout: PATIENCE });
    else setTimeout(resolve, SOON);
  });
}

/** The parts to make rooms and to care for them, which only some people need. */
export const managing = async () => (await later()).managing();
