/** What the page has of the browser. */
import type { Stores } from './models/storage';

export { clock, network } from 'hubbub-client';
export { drawing } from './drawing';

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
