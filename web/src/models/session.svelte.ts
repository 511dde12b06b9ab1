/** What one tab does as one person: puts the connection, the rooms, the identity and the notices together. */
import { Client, failureOf, type Clock, type ErrorEvent, type Event, type Network } from 'hubbub-client';
import type { Removed, State, Welcome } from 'hubbub-client';
import { sentenceOf } from '../words/failures';
import { words } from '../words/language.svelte';
import { Arrivals, type Drawing } from './arrivals';
import { Blocked } from './blocked.svelte';
import { Colours } from './colours.svelte';
import { Identity } from './identity.svelte';
import { Link } from './link.svelte';
import { Notices } from './notices.svelte';
import { Opened } from './opened.svelte';
import { Room, type RoomEvent } from './room.svelte';
import { Rooms } from './rooms.svelte';
import type { Route } from './route';
import { Seen, type Archive } from './seen';
import type { Remembered } from './storage';

export interface SessionOptions {
  name: string;
  /** The key of who has logged in, here or to the host app. Otherwise the user is a guest with this name. */
  account: string | null;
  /** The socket's address, without credentials. */
  address: URL;
  network: Network;
  clock: Clock;
  drawing: Drawing;
  remembered: Remembered;
  /** Stores what the user saw last. Without it, a start without the server shows no messages. */
  archive?: Archive;
  newKey: () => string;
}

/** Milliseconds after the first room was joined. */
const OWN_AFTER = 300;

export class Session {
  readonly link: Link;
  readonly rooms: Rooms;
  readonly me: Identity;
  readonly notices: Notices;
  readonly blocked: Blocked;
  readonly opened = new Opened();
  readonly colours = new Colours();
  readonly #options: SessionOptions;
  readonly client: Client;
  readonly #arrivals: Arrivals<RoomEvent>;
  readonly #seen: Seen | undefined;
  /** Whose drafts, unsent messages and rooms this device stores. */
  readonly #owner: string;
  #hasOpenedOwn = false;
  #hidesNewLines = $state(false);

  constructor(options: SessionOptions) {
    const { address, name, network, clock, drawing, account, remembered, archive } = options;
    const hasAccount = account !== null;
    this.#options = options;
    // Names of accounts may be the same, and a guest's name may be an account's.
    this.#owner = hasAccount ? `account ${account}` : name;
    this.notices = new Notices(clock);
    this.me = new Identity(name, hasAccount, remembered);
    // The page does not learn when a user logs out of the host app, so it stores nothing of those who log in.
    if (archive !== undefined && !hasAccount) this.#seen = new Seen(archive, clock, name);
    this.blocked = new Blocked(remembered.blockedBy(this.#owner));
    this.link = new Link(hasAccount, () => this.client.connection);
    this.#arrivals = new Arrivals(clock, drawing, {
      apply: (event) => this.rooms.get(event.room)?.apply(event),
      hide: (areHidden) => (this.#hidesNewLines = areHidden),
    });
    this.client = new Client({
      address: () => (hasAccount ? address.href : asGuest(address, name)),
      secret: () => this.me.proof(),
      network,
      clock,
      onState: (state) => this.#changed(state),
      onEvent: (event) => this.#receive(event),
      outbox: remembered.outboxOf(this.#owner),
      onSent: (message, ack) => this.#settled(message.room)?.sent(message, ack),
      onFailed: (message) => this.#settled(message.room)?.failed(message),
    });
    this.rooms = new Rooms({
      client: this.client,
      make: (key) => this.#newRoom(key),
      store: remembered.roomsOf(this.#owner),
    });
  }

  /** Connects, and opens the rooms of the last time, and what the route leads to. */
  start(route: Route): void {
    this.rooms.open(route);
    this.link.open();
  }

  /** The user leaves: this device forgets what the user saw. */
  stop(): void {
    this.link.close();
    this.#seen?.end();
  }

  #changed(state: State): void {
    this.link.changed(state);
    if (state.name === 'refused' && state.failure.field === 'secret') this.#becomeAnother();
  }

  /** A server with new keys knows no old secret: become a new guest with the same name. */
  #becomeAnother(): void {
    if (!this.me.forgetSecret()) return;
    // A code of this page's own.
    this.client.outbox.changeSender({ code: 'forgotten', message: 'the server does not know the sender any more' });
    this.link.open();
  }

  #newRoom(key: string): Room {
    const { clock, drawing, newKey, remembered } = this.#options;
    return new Room(key, {
      clock,
      client: this.client,
      colours: this.colours,
      me: () => this.me,
      newKey,
      draft: remembered.draftOf(this.#owner, key, () => clock.now()),
      seen: this.#seen?.of(key),
      hidesNewLines: () => this.#hidesNewLines,
      draw: (change) => new Promise((resolve) => drawing.next(change, resolve)),
      isBlocked: (user) => this.blocked.has(user),
      tell: this.notices.failed,
    });
  }

  /** The room after everything that came before. */
  #settled(key: string): Room | undefined {
    this.#arrivals.flush();
    return this.rooms.get(key);
  }

  #receive(event: Event): void {
    this.colours.hear(event);
    switch (event.type) {
      case 'welcome':
        this.#arrivals.flush();
        this.#welcomed(event);
        break;
      case 'error':
        this.#arrivals.flush();
        this.#refused(event);
        break;
      case 'removed':
        this.#arrivals.flush();
        this.#removed(event.room, event.reason);
        break;
      case 'invited':
        this.rooms.invited(event.room);
        break;
      case 'report':
        if (event.state === 'open')
          this.notices.tell(`${words().dialogs.reports}: ${this.rooms.get(event.room)?.name ?? event.room}`);
        break;
      case 'joined':
        // Also a room that this page has just made.
        this.rooms.invited(event.room);
        this.#openOwn();
        this.#arrivals.add(event);
        break;
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

  #welcomed(event: Welcome): void {
    this.me.welcomed(event);
    if (!this.me.isGuest) this.#seen?.end();
    this.link.limited(event.limits);
  }

  #refused(event: ErrorEvent): void {
    const room = event.room === undefined ? undefined : this.rooms.get(event.room);
    if (event.command === 'typing') {
      room?.typingRefused(event.code);
      return;
    }
    const isHopeless = event.command === 'join' && room !== undefined && !this.client.follows(room.key);
    // Somebody was removed from a room, or banned, while there was no connection.
    if (isHopeless && room.isJoined && event.code === 'forbidden') this.#removed(room.key, 'removed');
    else this.notices.tell(sentenceOf(failureOf(event)));
    if (isHopeless && !room.isJoined) this.rooms.forget(room);
  }

  /** What was written there and is not sent is shown once more: otherwise it would be lost with the room. */
  #removed(key: string, reason: Removed['reason']): void {
    const room = this.rooms.get(key);
    if (room === undefined) return;
    const { name, unsent } = room;
    const hasFocus = room === this.rooms.current;
    this.rooms.forget(room);
    if (reason === 'left') return;
    if (hasFocus || unsent.length > 0) this.opened.open({ kind: 'removed', name, reason, unsent });
    else this.notices.tell(words().rooms.removed(name));
  }

  /** Later than the first messages, and once: events tell of the rooms that come. */
  #openOwn(): void {
    if (this.#hasOpenedOwn) return;
    this.#hasOpenedOwn = true;
    this.#options.clock.after(OWN_AFTER, () => this.rooms.openOwn().catch(() => (this.#hasOpenedOwn = false)));
  }
}

function asGuest(address: URL, name: string): string {
  const full = new URL(address);
  full.searchParams.set('username', name);
  return full.href;
}
