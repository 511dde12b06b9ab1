/**
 * Keeps one WebSocket to the server alive. It knows when to open, wait and give up; it knows no
 * rooms, no messages and no browser: it gets sockets, time and random numbers as arguments.
 */
import { Backoff } from './backoff.js';
import { type Codec, json } from './codec.js';
import { askToken, type Credentials, present } from './credentials.js';
import { CLOSE_CODES, type Command, type ErrorCode, type Event, type Welcome } from './protocol.js';

/** The server's reason for a refused command or a refused connection. */
export interface Failure {
  /** A code of the protocol, or one of an application. */
  code: ErrorCode | 'closed' | (string & {});
  message: string;
  /** The wrong field: one of a command, or `username` or `secret` of a handshake. */
  field?: string;
}

export type State =
  | { name: 'idle' }
  | { name: 'connecting' }
  | { name: 'live' }
  /** `until`: the time of the next attempt. */
  | { name: 'waiting'; until: number }
  | { name: 'offline' }
  /** The server refused us permanently: the client does not try again by itself. */
  | { name: 'refused'; failure: Failure }
  | { name: 'closed' };

export type StateName = State['name'];

/** The allowed transitions. Any other one is a bug, and throws. */
const TRANSITIONS: Record<StateName, readonly StateName[]> = {
  idle: ['connecting', 'offline'],
  connecting: ['live', 'waiting', 'offline', 'refused', 'closed'],
  live: ['waiting', 'offline', 'refused', 'closed'],
  waiting: ['connecting', 'offline', 'closed'],
  offline: ['connecting', 'closed'],
  refused: ['connecting', 'offline', 'closed'],
  closed: ['connecting', 'offline'],
};

/** The messages for close codes after which another attempt would get the same answer. */
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

/** RFC 6455 reserves 4000-4999 for applications; this code means "not alive". */
const NOT_ALIVE = 4408;
const GOING_AWAY = 1000;
const NO_CLOSE_FRAME = 1006;
const UNAUTHENTICATED = 4401;
const OPENING_DEADLINE = 10_000;
/** A shorter connection does not reset the waits, so that a server in a crash loop is not flooded. */
const SETTLED = 5_000;
/** The protocol's wait after 1008: at least this, plus a multiple of the usual wait. */
const LONGER_BY = 5_000;
const TIMES_LONGER = 10;

/**
 * The part of the browser's (and Node's) WebSocket that is used. Only this module sets the handlers, so
 * `never` accepts the event types of any socket.
 */
export interface Socket {
  binaryType: string;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(frame: string | ArrayBuffer): void;
  close(code?: number): void;
}

export interface Clock {
  now(): number;
  /** Calls back once after this many milliseconds, unless the returned function is called first. */
  after(milliseconds: number, callback: () => void): () => void;
}

/** The answer to a plain GET. On the socket's address it is asked for because browsers hide a refused handshake. */
export interface Probe {
  status: number;
  /** What the answer says as JSON; needed for lists only. */
  body?: unknown;
  failure: Failure | null;
  /** Milliseconds, from `Retry-After`. */
  retryAfter: number | null;
}

export interface Network {
  open(address: string, subprotocols: string[]): Socket;
  /** Rejects when the server cannot be reached. */
  probe(address: string, headers: Record<string, string>): Promise<Probe>;
  /** Calls when the device has a network again, or none, until the returned function is called. */
  watch?(changed: (isOnline: boolean) => void): () => void;
}

export interface ConnectionOptions extends Credentials {
  /** Called at each attempt, as the credentials are: they may have changed. */
  address: () => string;
  /** By default JSON. */
  codec?: Codec;
  network: Network;
  clock: Clock;
  backoff?: Backoff;
  onState: (state: State) => void;
  onEvent: (event: Event) => void;
}

export class Connection {
  readonly #options: ConnectionOptions;
  readonly #codec: Codec;
  readonly #backoff: Backoff;
  #state: State = { name: 'idle' };
  #socket: Socket | null = null;
  #cancelTimer: () => void = () => {};
  #liveSince = 0;
  #heartbeat = 0;
  #lastFrame = 0;
  /** When to reconnect: the time of a draining server, or now if the network came back during an attempt. */
  #returnAt: number | null = null;
  /** The credentials of the last attempt: the GET that asks why it was refused must send the same. */
  #presented: { address: string; headers: Record<string, string> } = { address: '', headers: {} };
  /** The token that the server has seen last. */
  #token: string | null = null;
  /** Set after 4401 if there may be another token than the last one: why the last one must not be shown again. */
  #revocation: Failure | null = null;
  #hasBeenLive = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#codec = options.codec ?? json;
    this.#backoff = options.backoff ?? new Backoff();
  }

  get state(): State {
    return this.#state;
  }

  /** Opens now, even during a wait. Does nothing while connecting or live. */
  open(): void {
    const { name } = this.#state;
    if (name === 'connecting' || name === 'live') return;
    this.#enter({ name: 'connecting' }, () => this.#begin());
  }

  /** Closes until the next `open`. */
  close(): void {
    const { name } = this.#state;
    if (name === 'idle' || name === 'closed') return;
    this.#drop(GOING_AWAY);
    this.#enter({ name: 'closed' });
  }

  /** The device has a network again: do not wait for the timer. */
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

  /** Sends one command. Returns false, and keeps nothing, when there is no live connection. */
  send(command: Command): boolean {
    if (this.#state.name !== 'live' || this.#socket === null) return false;
    this.#socket.send(this.#codec.encode(command));
    return true;
  }

  /** The token that the server has seen last. */
  get token(): string | null {
    return this.#token;
  }

  /** The server has taken a newer token on this connection. */
  renewed(token: string): void {
    this.#token = token;
  }

  #begin(): void {
    this.#startTimer(OPENING_DEADLINE, () => {
      this.#drop(NOT_ALIVE);
      this.#retry();
    });
    const token = askToken(this.#options);
    if (this.#revocation === null && (token === null || typeof token === 'string')) this.#dial(token);
    else void this.#dialLater(token);
  }

  async #dialLater(asked: string | null | Promise<string | null>): Promise<void> {
    const attempt = this.#state;
    try {
      const token = await asked;
      if (this.#state !== attempt) return;
      const revocation = this.#revocation;
      this.#revocation = null;
      if (revocation === null || (token !== null && token !== this.#token)) this.#dial(token);
      else this.#enter({ name: 'refused', failure: revocation });
    } catch (error) {
      if (this.#state !== attempt) return;
      console.warn('There is no token to connect with:', error);
      this.#retry();
    }
  }

  #dial(token: string | null): void {
    const { address, network } = this.#options;
    const { subprotocols, headers } = present(this.#options, token);
    this.#token = token;
    this.#presented = { address: address(), headers };
    const socket = network.open(this.#presented.address, [this.#codec.subprotocol, ...subprotocols]);
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onmessage = ({ data }: { data: unknown }) => this.#receive(data);
    socket.onclose = ({ code, reason }: { code: number; reason: string }) => this.#closed(code, reason);
    // After a failed handshake the WebSocket of Node.js 20 does not tell of a close.
    socket.onerror = () => {
      if (this.#state.name === 'connecting') this.#closed(NO_CLOSE_FRAME, '');
    };
  }

  #receive(frame: unknown): void {
    const event = this.#codec.decode(frame);
    if (event === undefined) return;
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

  /** The server pings at each heartbeat, so two heartbeats without a frame mean that it is gone. */
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
      const said = FAILURES[code] ?? { code: 'closed', message: `Disconnected (${code}).` };
      const failure = { ...said, message: reason || said.message };
      if (code === UNAUTHENTICATED && typeof this.#options.token === 'function') {
        this.#revocation = failure;
        this.#retry();
      } else {
        this.#enter({ name: 'refused', failure });
      }
    } else if (meaning?.afterAWhile === true) {
      this.#stayAway();
    } else if (wasLive) {
      this.#retry();
    } else {
      void this.#askWhy();
    }
  }

  /** The handshake failed. Only a GET can distinguish a refusal from a server that is down. */
  async #askWhy(): Promise<void> {
    const asked = this.#state;
    const { address, headers } = this.#presented;
    const probe = await this.#options.network.probe(address, headers).catch(() => null);
    if (this.#state !== asked) return;
    const failure = probe === null || !isRefusal(probe.status) ? null : this.#refusalIn(probe);
    if (failure === null) this.#retry(probe?.retryAfter ?? 0);
    else this.#enter({ name: 'refused', failure });
  }

  /** An answer that is not the server's, such as a proxy's, counts only if the server has never admitted us. */
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

  /** A connection that the server closed for its limits does not reset the waits, however long it lasted. */
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
    // A socket over a dead network reports its close minutes later: do not wait for that.
    socket.onmessage = null;
    socket.onclose = null;
    // The package ws ends the program at an error for which nobody listens.
    socket.onerror = () => {};
    socket.close(code);
  }

  #startTimer(milliseconds: number, callback: () => void): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#options.clock.after(milliseconds, callback);
  }

  /** Calls the listener last, because it may open or close at once. */
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

/** A status that another attempt would get again, unlike a timeout, "upgrade" and "too many". */
function isRefusal(status: number): boolean {
  return status >= 400 && status < 500 && ![408, 425, 426, 429].includes(status);
}
