/** What the page has of the browser. */
import type { Drawing } from './models/arrivals';
import type { Stores } from './models/storage';

export { clock, network } from 'hubbub-client';

/** A browser draws no frames of a page that nobody sees. */
const WITHOUT_FRAMES = 200;

export const drawing: Drawing = {
  next(draw, drawn) {
    const begin = () => {
      cancelAnimationFrame(frame);
      clearTimeout(timer);
      const start = performance.now();
      draw();
      // A task after this frame's layout and painting.
      setTimeout(() => drawn(performance.now() - start));
    };
    const frame = requestAnimationFrame(begin);
    const timer = setTimeout(begin, WITHOUT_FRAMES);
  },
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
