/** Lists that are read with plain requests: rooms, and who is online or has a role in one of them. */
import type { Network } from './connection.js';
import { askToken, type Credentials, present } from './credentials.js';
import type { MembersPage, OnlinePage, RoomsPage } from './protocol.js';
import { CommandRefused, ConnectionLost } from './requests.js';

export interface ListQuery {
  /** Only what has this in its key or name. */
  q?: string;
  /** The `next` of the page before. */
  after?: string;
  limit?: number;
}

interface ListsOptions extends Credentials {
  /** The socket's address. */
  address: () => string;
  network: Pick<Network, 'probe'>;
}

/** The end of every address of a socket. */
const SOCKET = /\/ws(\/(chat|notify)(\/[^/]*)?)?\/?$/;

export class Lists {
  readonly #options: ListsOptions;

  constructor(options: ListsOptions) {
    this.#options = options;
  }

  rooms(query: ListQuery): Promise<RoomsPage> {
    return this.#page('api/v1/rooms', query);
  }

  online(room: string, query: ListQuery): Promise<OnlinePage> {
    return this.#page(`api/v1/rooms/${encodeURIComponent(room)}/online`, query);
  }

  members(room: string, query: ListQuery): Promise<MembersPage> {
    return this.#page(`api/v1/rooms/${encodeURIComponent(room)}/members`, query);
  }

  async #page<Page>(path: string, query: ListQuery): Promise<Page> {
    const address = new URL(this.#options.address());
    address.pathname = address.pathname.replace(SOCKET, '/') + path;
    const given = Object.entries(query).filter(([, value]) => value !== undefined);
    address.search = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
    const { headers } = present(this.#options, await askToken(this.#options));
    const answer = await this.#options.network.probe(address.href, headers).catch(() => null);
    if (answer === null) throw new ConnectionLost();
    if (answer.status === 200) return answer.body as Page;
    const failure = answer.failure ?? { code: 'internal', message: `The server answered ${answer.status}.` };
    // A server of an earlier version has no such list. The body is then that of the application around it, if any.
    const code = answer.status === 404 ? 'not_found' : failure.code;
    throw new CommandRefused({ ...failure, code }, answer.retryAfter ?? undefined);
  }
}
