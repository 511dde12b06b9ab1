/** Everything that one tab does as one person: the connection, the rooms, the shown room. */
import { SvelteMap } from 'svelte/reactivity';
import {
  Client,
  CommandRefused,
  failureOf,
  fold,
  type Clock,
  type ErrorEvent,
  type Event,
  type Failure,
  type Network,
  type State,
  type Welcome,
} from 'hubbub-client';
import { Arrivals, type Drawing } from './arrivals';
import { sentenceOf } from './failures';
import { Notices } from './notices.svelte';
import { Room, type RoomEvent } from './room.svelte';
import type { Route } from './route';
import type { Remembered } from './storage';
import type { Me } from './text';

export interface SessionOptions {
  name: string;
  /** The host app's login says who the user is. Otherwise the user is a guest with this name. */
  hasAccount: boolean;
  /** The socket's address, without credentials. */
  address: URL;
  network: Network;
  clock: Clock;
  drawing: Drawing;
  remembered: Remembered;
  newKey: () => string;
}

const FIRST_ROOM = 'general';
const TEXT_LIMIT = 4000;

export class Session {
  readonly name: string;
  readonly notices: Notices;
  readonly #options: SessionOptions;
  readonly #client: Client;
  readonly #arrivals: Arrivals<RoomEvent>;
  #rooms = new SvelteMap<string, Room>();
  #state = $state.raw<State>({ name: 'idle' });
  #me = $state.raw<Me>({ user: '', name: '' });
  #isGuest = $state(false);
  #hasEntered = $state(false);
  /** On a device that stores nothing, a reconnect must not make another guest. */
  #secret: string | null = null;
  #current = $state.raw<Room | null>(null);
  #textLimit = $state(TEXT_LIMIT);

  constructor(options: SessionOptions) {
    const { address, name, network, clock, drawing } = options;
    this.#options = options;
    this.name = name;
    this.#me = { user: name, name };
    this.#isGuest = !options.hasAccount;
    this.notices = new Notices(clock);
    this.#arrivals = new Arrivals(clock, drawing, (event) => this.#rooms.get(fold(event.room))?.apply(event));
    this.#client = new Client({
      address: () => (options.hasAccount ? address.href : asGuest(address, name)),
      secret: () => (options.hasAccount ? null : this.#proof()),
      network,
      clock,
      onState: (state) => this.#changed(state),
      onEvent: (event) => this.#receive(event),
      outbox: options.remembered.outboxOf(name),
      onSent: (message, ack) => this.#settled(message.room)?.sent(message, ack),
      onFailed: (message) => this.#settled(message.room)?.failed(message),
    });
  }

  get state(): State {
    return this.#state;
  }

  get isLive(): boolean {
    return this.#state.name === 'live';
  }

  /** Connecting for the first time. */
  get isEntering(): boolean {
    return !this.#hasEntered && (this.#state.name === 'idle' || this.#state.name === 'connecting');
  }

  /** Why a guest was never admitted. Then there is no conversation to show, and another name may help. */
  get refusedEntry(): Failure | null {
    if (this.#hasEntered || this.#options.hasAccount || this.#state.name !== 'refused') return null;
    return this.#state.failure;
  }

  get me(): Me {
    return this.#me;
  }

  get isGuest(): boolean {
    return this.#isGuest;
  }

  get rooms(): Room[] {
    return [...this.#rooms.values()];
  }

  get current(): Room | null {
    return this.#current;
  }

  get textLimit(): number {
    return this.#textLimit;
  }

  get unseen(): number {
    return this.rooms.reduce((sum, room) => sum + room.unseen, 0);
  }

  /** Connects, and opens the rooms of the last time, and what the route leads to. */
  start(route: Route): void {
    const known = this.#options.remembered.roomsOf(this.name);
    for (const key of known.length > 0 ? known : [FIRST_ROOM]) this.#add(key);
    if (route.kind === 'room') this.lookAt(route.room, route.message);
    else this.lookAt(this.rooms[0]?.key ?? FIRST_ROOM);
    this.#client.connection.open();
  }

  stop(): void {
    this.#client.connection.close();
  }

  retry(): void {
    this.#client.connection.open();
  }

  networkUp(): void {
    this.#client.connection.networkUp();
  }

  networkDown(): void {
    this.#client.connection.networkDown();
  }

  /** Shows a room, and one of its messages if that is given. Joins the room first if needed. */
  lookAt(key: string, message?: number): void {
    this.#current?.lookAway();
    this.#current = this.#add(key);
    this.#current.lookAt();
    if (message !== undefined) void this.#current.lookFor(message);
  }

  /** Messages that come while the page is hidden count as unread. */
  pageShown(shown: boolean): void {
    if (shown) this.#current?.lookAt();
    else this.#current?.lookAway();
  }

  leave(room: Room): void {
    this.#forget(room);
    this.#client.leave(room.key);
  }

  #proof(): string | null {
    this.#secret = this.#options.remembered.secretOf(this.name) ?? this.#secret;
    return this.#secret;
  }

  #changed(state: State): void {
    this.#state = state;
    if (state.name === 'live') this.#hasEntered = true;
    if (state.name === 'refused' && state.failure.field === 'secret') this.#becomeAnother();
  }

  /** A server with new keys knows no old secret: become a new guest with the same name. */
  #becomeAnother(): void {
    const { remembered } = this.#options;
    if (this.#secret === null) return;
    // Another tab may have been a new guest first.
    if (remembered.secretOf(this.name) === this.#secret) remembered.keepSecret(this.name, null);
    this.#secret = null;
    this.#client.outbox.changeSender({
      code: 'unauthenticated',
      message: 'The server does not know you any more, and this may have been sent already.',
    });
    this.#client.connection.open();
  }

  #tell(error: unknown): void {
    if (error instanceof CommandRefused) this.notices.tell(sentenceOf(error.failure));
    else if (error instanceof Error) this.notices.tell(error.message);
  }

  #add(key: string): Room {
    const known = this.#rooms.get(fold(key));
    if (known !== undefined) return known;
    const room = new Room(key, {
      clock: this.#options.clock,
      client: this.#client,
      me: () => this.#me,
      newKey: this.#options.newKey,
      draft: this.#options.remembered.draftOf(this.name, key, () => this.#options.clock.now()),
      tell: (error) => this.#tell(error),
    });
    this.#rooms.set(fold(key), room);
    this.#client.join(key);
    this.#keepRooms();
    return room;
  }

  #forget(room: Room): void {
    this.#rooms.delete(fold(room.key));
    if (this.#current === room) {
      this.#current = this.rooms[0] ?? null;
      this.#current?.lookAt();
    }
    this.#keepRooms();
  }

  /** The room after everything that came before. */
  #settled(key: string): Room | undefined {
    this.#arrivals.flush();
    return this.#rooms.get(fold(key));
  }

  #keepRooms(): void {
    this.#options.remembered.keepRooms(
      this.name,
      this.rooms.map(({ key }) => key),
    );
  }

  #receive(event: Event): void {
    switch (event.type) {
      case 'welcome':
        this.#arrivals.flush();
        this.#welcomed(event);
        break;
      case 'error':
        this.#arrivals.flush();
        this.#refused(event);
        break;
      case 'joined':
      case 'sync':
      case 'message':
      case 'changed':
      case 'room':
      case 'join':
      case 'leave':
      case 'online':
      case 'typing':
        this.#arrivals.add(event);
        break;
    }
  }

  #welcomed({ user, name, guest, secret, limits }: Welcome): void {
    this.#me = { user, name };
    this.#isGuest = guest === true;
    this.#textLimit = limits.text;
    if (secret === undefined) return;
    this.#secret = secret;
    this.#options.remembered.keepSecret(this.name, secret);
  }

  #refused(event: ErrorEvent): void {
    const room = event.room === undefined ? undefined : this.#rooms.get(fold(event.room));
    if (event.command === 'typing') {
      room?.typingRefused(event.code);
      return;
    }
    this.notices.tell(sentenceOf(failureOf(event)));
    const isHopeless = room !== undefined && !this.#client.follows(room.key);
    if (event.command === 'join' && isHopeless && !room.isJoined) this.#forget(room);
  }
}

function asGuest(address: URL, name: string): string {
  const full = new URL(address);
  full.searchParams.set('username', name);
  return full.href;
}
