/**
 * Keeps one WebSocket to the server alive. It knows when to open, wait and give up; it knows no
 * rooms, no messages and no browser: sockets, time and chance are handed in.
 */
import { Backoff } from './backoff.js';
import { CLOSE_CODES, type Command, type ErrorCode, type Event, type Welcome } from './protocol.js';

/** What the server says where it can't do what was asked, or won't open a connection. */
export interface Failure {
  /** Of the protocol, or an application's own. */
  code: ErrorCode | 'closed' | (string & {});
  message: string;
  /** The one thing that is wrong: a field of a command or, of what a handshake presented, `username` or `secret`. */
  field?: string;
}

export type State =
  | { name: 'idle' }
  | { name: 'connecting' }
  | { name: 'live' }
  /** `until`: the clock's time of the next attempt. */
  | { name: 'waiting'; until: number }
  | { name: 'offline' }
  /** The server won't have us; trying again by itself would be rude. */
  | { name: 'refused'; failure: Failure }
  | { name: 'closed' };

export type StateName = State['name'];

/** Where each state may go. A step that is not here is a bug, and raises. */
const TRANSITIONS: Record<StateName, readonly StateName[]> = {
  idle: ['connecting', 'offline'],
  connecting: ['live', 'waiting', 'offline', 'refused', 'closed'],
  live: ['waiting', 'offline', 'refused', 'closed'],
  waiting: ['connecting', 'offline', 'closed'],
  offline: ['connecting', 'closed'],
  refused: ['connecting', 'offline', 'closed'],
  closed: ['connecting', 'offline'],
};

/** What to say of a close code after which another attempt would meet the same answer. */
const FAILURES: Record<number, Failure> = {
  1000: { code: 'closed', message: 'The server closed the connection.' },
  1002: {
    code: 'invalid',
    message: 'Disconnected: the server could not read a frame.',
  },
  1007: {
    code: 'invalid',
    message: 'Disconnected: a text was not valid Unicode.',
  },
  1009: {
    code: 'too_large',
    message: 'Disconnected: a message was too large.',
  },
  4401: { code: 'unauthenticated', message: 'You have been signed out.' },
  4403: { code: 'forbidden', message: 'You are no longer allowed here.' },
};

/** RFC 6455 keeps 4000-4999 for applications; this one says "not alive". */
const NOT_ALIVE = 4408;
const GOING_AWAY = 1000;
const OPENING_DEADLINE = 10_000;
/** A link that lives shorter than this does not count as mended: a crash loop must not be hammered. */
const SETTLED = 5_000;
/** The protocol's, for 1008: no shorter than this, and then so many times the usual wait. */
const LONGER_BY = 5_000;
const TIMES_LONGER = 10;
/** Of all that one can offer, the codec that `JSON` is. The server chooses it, never the one that holds a secret. */
const SUBPROTOCOL = 'hubbub.v1.json';

/**
 * The part of the browser's (and Node's) WebSocket that is used. The handlers are only ever set from
 * here: `never` lets any socket's own event types stand in.
 */
export interface Socket {
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  send(data: string): void;
  close(code?: number): void;
}

export interface Clock {
  now(): number;
  /** Calls back once after so many milliseconds, unless the returned function is called first. */
  after(milliseconds: number, callback: () => void): () => void;
}

/** What a plain GET on the socket's address said. Browsers hide a refused handshake's answer. */
export interface Probe {
  status: number;
  failure: Failure | null;
  /** Milliseconds, from `Retry-After`. */
  retryAfter: number | null;
}

export interface Network {
  open(address: string, subprotocols: string[]): Socket;
  /** Rejects when the server can't be reached. */
  probe(address: string, headers: Record<string, string>): Promise<Probe>;
}

export interface ConnectionOptions {
  /** Asked at each attempt, since credentials may have changed. */
  address: () => string;
  /** A guest's secret, if there is one. It is asked for at each attempt as well, and stands in no address. */
  secret?: () => string | null;
  network: Network;
  clock: Clock;
  backoff?: Backoff;
  onState: (state: State) => void;
  onEvent: (event: Event) => void;
}

export class Connection {
  readonly #options: ConnectionOptions;
  readonly #backoff: Backoff;
  #state: State = { name: 'idle' };
  #socket: Socket | null = null;
  #cancelTimer: () => void = () => {};
  #liveSince = 0;
  #heartbeat = 0;
  #lastFrame = 0;
  /** When a draining server asked us to come back; now, if the network came back during an attempt. */
  #returnAt: number | null = null;
  /** With what the last attempt came: whoever asks why it was refused must come with the same. */
  #presented: { address: string; secret: string | null } = { address: '', secret: null };
  #hasBeenLive = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#backoff = options.backoff ?? new Backoff();
  }

  get state(): State {
    return this.#state;
  }

  /** Opens now, whatever wait was under way. Does nothing while connecting or live. */
  open(): void {
    const { name } = this.#state;
    if (name === 'connecting' || name === 'live') return;
    this.#enter({ name: 'connecting' }, () => this.#dial());
  }

  /** Ends for good, until the next `open`. */
  close(): void {
    const { name } = this.#state;
    if (name === 'idle' || name === 'closed') return;
    this.#drop(GOING_AWAY);
    this.#enter({ name: 'closed' });
  }

  /** The device has a network again: don't wait for the timer. */
  networkUp(): void {
    const { name } = this.#state;
    if (name === 'offline' || name === 'waiting') this.open();
    // This attempt may have begun without a network.
    if (name === 'connecting') this.#returnAt = this.#options.clock.now();
  }

  networkDown(): void {
    const { name } = this.#state;
    if (name !== 'connecting' && name !== 'live' && name !== 'waiting') return;
    this.#drop(GOING_AWAY);
    this.#enter({ name: 'offline' });
  }

  /** Sends one command. False when there is no live connection; nothing is kept. */
  send(command: Command): boolean {
    if (this.#state.name !== 'live' || this.#socket === null) return false;
    this.#socket.send(JSON.stringify(command));
    return true;
  }

  #dial(): void {
    const { address, secret, network } = this.#options;
    this.#presented = { address: address(), secret: secret?.() ?? null };
    const proof = this.#presented.secret === null ? [] : [`secret.${encoded(this.#presented.secret)}`];
    const socket = network.open(this.#presented.address, [SUBPROTOCOL, ...proof]);
    this.#socket = socket;
    socket.onmessage = ({ data }: { data: unknown }) => this.#receive(data);
    socket.onclose = ({ code, reason }: { code: number; reason: string }) => this.#closed(code, reason);
    this.#startTimer(OPENING_DEADLINE, () => {
      this.#drop(NOT_ALIVE);
      this.#retry();
    });
  }

  #receive(data: unknown): void {
    if (typeof data !== 'string') return;
    const event = JSON.parse(data) as Event;
    this.#lastFrame = this.#options.clock.now();
    if (event.type === 'welcome') this.#welcome(event);
    if (event.type === 'draining') this.#returnAt = this.#lastFrame + event.reconnect_in;
    this.#options.onEvent(event);
  }

  #welcome(event: Welcome): void {
    this.#liveSince = this.#lastFrame;
    this.#hasBeenLive = true;
    this.#returnAt = null;
    this.#heartbeat = event.heartbeat;
    this.#enter({ name: 'live' }, () => this.#watch());
  }

  /** The server pings each heartbeat, so two of them without a frame mean that it is gone. */
  #watch(): void {
    const silence = this.#options.clock.now() - this.#lastFrame;
    const left = 2 * this.#heartbeat - silence;
    if (left > 0) {
      this.#startTimer(left, () => this.#watch());
      return;
    }
    this.#drop(NOT_ALIVE);
    this.#retry();
  }

  #closed(code: number, reason: string): void {
    const wasLive = this.#state.name === 'live';
    this.#drop(GOING_AWAY);
    const meaning = CLOSE_CODES[code];
    if (meaning?.reconnect === false) {
      const failure = FAILURES[code] ?? { code: 'closed', message: `Disconnected (${code}).` };
      this.#enter({ name: 'refused', failure: { ...failure, message: reason || failure.message } });
    } else if (meaning?.afterAWhile === true) {
      this.#stayAway();
    } else if (wasLive) {
      this.#retry();
    } else {
      void this.#askWhy();
    }
  }

  /** The handshake failed, and only a GET can tell a refusal from a server that is down. */
  async #askWhy(): Promise<void> {
    const asked = this.#state;
    const { address, secret } = this.#presented;
    const headers: Record<string, string> = secret === null ? {} : { 'Hubbub-Secret': encoded(secret) };
    const probe = await this.#options.network.probe(address, headers).catch(() => null);
    if (this.#state !== asked) return;
    const failure = probe === null || !isRefusal(probe.status) ? null : this.#refusalIn(probe);
    if (failure === null) this.#retry(probe?.retryAfter ?? 0);
    else this.#enter({ name: 'refused', failure });
  }

  /** A stranger's answer, such as a proxy's, counts only where nobody has ever let us in. */
  #refusalIn({ status, failure }: Probe): Failure | null {
    if (failure !== null || this.#hasBeenLive) return failure;
    return { code: 'forbidden', message: `The server answered ${status}.` };
  }

  #retry(atLeast = 0): void {
    const now = this.#options.clock.now();
    if (this.#liveSince > 0 && now - this.#liveSince >= SETTLED) this.#backoff.reset();
    const wait = this.#returnAt === null ? atLeast + this.#backoff.next() : Math.max(0, this.#returnAt - now);
    this.#wait(wait);
  }

  /** A link that the server cut for its limits does not count as mended, however long it lived. */
  #stayAway(): void {
    this.#wait(LONGER_BY + TIMES_LONGER * this.#backoff.next());
  }

  #wait(milliseconds: number): void {
    this.#liveSince = 0;
    this.#returnAt = null;
    const until = this.#options.clock.now() + milliseconds;
    this.#enter({ name: 'waiting', until }, () => this.#startTimer(milliseconds, () => this.open()));
  }

  #drop(code: number): void {
    this.#cancelTimer();
    const socket = this.#socket;
    this.#socket = null;
    if (socket === null) return;
    // A socket over a dead network reports its close minutes later; nobody waits for that.
    socket.onmessage = null;
    socket.onclose = null;
    socket.close(code);
  }

  #startTimer(milliseconds: number, callback: () => void): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#options.clock.after(milliseconds, callback);
  }

  /** Whoever watches is told last, and may open or close at once. */
  #enter(next: State, begin: () => void = () => {}): void {
    if (!TRANSITIONS[this.#state.name].includes(next.name)) {
      throw new Error(`A connection can't go from ${this.#state.name} to ${next.name}.`);
    }
    this.#cancelTimer();
    this.#state = next;
    begin();
    this.#options.onState(next);
  }
}

/** A client's error that another attempt would repeat, unlike a time-out, "upgrade" and "too many". */
function isRefusal(status: number): boolean {
  return status >= 400 && status < 500 && ![408, 425, 426, 429].includes(status);
}

/** base64url without padding: neither a subprotocol nor a header may hold all that a secret may. */
function encoded(secret: string): string {
  const bytes = String.fromCharCode(...new TextEncoder().encode(secret));
  return btoa(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
