/** One room in this tab: applies its events, and sends what the user does there. */
import { fold, RoomMembers, type Ack, type Client, type Clock, type ErrorEvent, type Event } from 'hubbub-client';
import type {
  HistoryPage,
  Joined,
  ListQuery,
  MembersPage,
  MessageEvent,
  OnlinePage,
  Place,
  Unsent,
} from 'hubbub-client';
import { formats, words } from '../words/language.svelte';
import type { Colours } from './colours.svelte';
import { Composing } from './composing.svelte';
import { isStored, type Said, type Stored } from './lines';
import { Messages, type Logged } from './messages.svelte';
import { Names, type Person } from './names.svelte';
import { People } from './people.svelte';
import { Pins } from './pins.svelte';
import { Reading, type Draw } from './reading.svelte';
import type { SeenRoom } from './seen';
import { server } from './server.svelte';
import type { DraftStore } from './storage';
import { kindOf } from './route';
import { mentions } from '../text/tree';
import type { Me } from './text';
import { Timeline } from './timeline.svelte';
import { TypingSign, Typists } from './typing.svelte';

export type RoomEvent = Extract<
  Event,
  { type: 'joined' | 'sync' | 'message' | 'changed' | 'room' | 'join' | 'leave' | 'online' | 'typing' }
>;

/** These change what the room's log shows. */
const OF_LOG = new Set<RoomEvent['type']>(['joined', 'sync', 'message', 'changed', 'room']);

/** Milliseconds. */
const ASKED_WITHIN = 5_000;

/** More people than this nobody reads: another letter finds the others. */
const FOUND = 20;

export interface RoomOptions {
  clock: Clock;
  client: Pick<Client, 'outbox' | 'history' | 'edit' | 'delete' | 'react' | 'pin' | 'typing' | 'online' | 'members'>;
  me: () => Me;
  newKey: () => string;
  /** Stores drafts when the page closes; without it they are lost. */
  draft?: DraftStore;
  /** Stores what the user saw last here. */
  seen?: SeenRoom;
  /** Without it, lines are added at once. */
  draw?: Draw;
  /** Lines that come now are kept out of sight until all are made. */
  hidesNewLines?: () => boolean;
  /** Called when a command could not be done. */
  tell: (error: unknown) => void;
  /** What the server tells of authors and members is noted here. */
  colours?: Colours;
  /** The user does not want to hear of this person. */
  isBlocked?: (user: string) => boolean;
}

/** What is said about a room, and who is what in it, as far as the server has told. */
export type About = Pick<
  RoomMembers,
  'kind' | 'title' | 'description' | 'archived' | 'slow' | 'role' | 'list' | 'next' | 'of'
>;

export class Room {
  readonly key: string;
  readonly messages: Messages;
  readonly timeline: Timeline;
  readonly reading: Reading;
  readonly composing: Composing;
  readonly people = new People();
  readonly names = new Names(() => this.#everybody());
  readonly pins: Pins;
  readonly typists: Typists;
  readonly sign: TypingSign;
  /** What is said about the room, and who is what in it. */
  readonly #about: RoomMembers;
  /** Counts what the server has told about the room. */
  #told = $state(0);
  /** Another object after each change, so that what shows it follows. */
  readonly about: About = $derived.by(() => {
    void this.#told;
    const { kind, title, description, archived, slow, role, list, next } = this.#about;
    return { kind, title, description, archived, slow, role, list, next, of: (user) => this.#about.of(user) };
  });
  /** The room's key, as the server writes it. */
  #spelled = $state('');
  /** Messages that came while the user was not looking at this room. */
  unseen = $state(0);
  mentioned = $state(false);
  /** When something was last said here; 0 if that is not known. */
  activeAt = $state(0);
  isJoined = $state(false);
  /** Somebody made the room, or changed what is said about it. Other rooms have no roles. */
  hasSettings = $state(false);
  /** The room stores its messages, so they can be answered, changed and found again. */
  keepsMessages = $state(false);
  /** The user may not send `typing` here. This is so in a read-only room, but possible elsewhere too. */
  isReadOnly = $state(false);
  /** When the user may say something again in slow mode. */
  silentUntil = $state(0);
  isLookedAt = false;
  /** The message to which an address leads, until the room is joined. */
  #sought: number | null = null;
  /** For the colour of an author. */
  #isAsking = false;
  readonly #options: RoomOptions;

  constructor(key: string, options: RoomOptions) {
    const { client, clock, me } = options;
    this.key = key;
    this.#spelled = key;
    this.#options = options;
    this.#about = new RoomMembers(() => {
      const { user, isAdmin, isGuest } = me();
      return { user, role: isAdmin ? 'admin' : 'member', guest: isGuest };
    });
    this.#about.kind = kindOf(key);
    this.composing = new Composing(options.draft);
    this.messages = new Messages(me);
    this.timeline = new Timeline(this.messages, me);
    this.reading = new Reading(this.timeline, (place) => this.#history(place), options.draw);
    this.pins = new Pins(this.messages, (place) => this.#history(place));
    this.typists = new Typists(clock);
    this.sign = new TypingSign(clock, (active) => this.isJoined && !this.isReadOnly && client.typing(key, active));
    for (const message of client.outbox.of(key)) this.timeline.send(message);
    void this.#restore();
  }

  /** What people see. Nobody reads the keys of private rooms. */
  get name(): string {
    const { kind, title } = this.about;
    if (title !== undefined) return title;
    if (kind === 'public') return this.#spelled;
    const others = this.others.map(({ name }) => name);
    return others.length > 0 ? formats().list(others) : words().rooms.kinds[kind];
  }

  /** The name, with the sign of a public room. */
  get label(): string {
    return this.about.kind === 'public' ? `#${this.name}` : this.name;
  }

  /** The page is making new lines, and shows them when all are there. */
  get hidesNewLines(): boolean {
    return this.#options.hidesNewLines?.() ?? false;
  }

  get isDirect(): boolean {
    return this.about.kind === 'direct';
  }

  /** Those with whom the user talks in a direct room. */
  get others(): readonly Person[] {
    const { kind, list = [] } = this.about;
    return kind === 'direct' ? list.filter(({ user }) => fold(user) !== fold(this.#options.me().user)) : [];
  }

  /** Until when the user may only read, in the words of the protocol; undefined if that is not known. */
  get mutedUntil(): string | undefined {
    const muted = this.about.of(this.#options.me().user)?.muted;
    const isOver = muted !== undefined && Date.parse(muted) <= this.#options.clock.now();
    return isOver ? undefined : muted;
  }

  /** The user may only read here. */
  get isClosed(): boolean {
    return this.about.archived || this.mutedUntil !== undefined;
  }

  /** What is so until some time may be so no more. */
  timePassed(): void {
    this.#told += 1;
  }

  /** Slow mode is for the user, too. */
  get isSlow(): boolean {
    const { slow, role } = this.about;
    return slow > 0 && role !== 'owner' && role !== 'moderator';
  }

  /** What the user has written here and the server does not have. */
  get unsent(): readonly string[] {
    const waiting = this.timeline.lines.filter((line) => line.kind === 'said' && line.state !== 'sent');
    const texts = waiting.map((line) => (line.kind === 'said' ? line.text : ''));
    return [...texts, this.composing.written].filter((text) => text.trim() !== '');
  }

  /** What is shown here is of an earlier visit. */
  get isOld(): boolean {
    return !this.isJoined && !this.timeline.isEmpty;
  }

  lookAt(): void {
    if (!this.isLookedAt) this.reading.opened();
    this.isLookedAt = true;
    this.unseen = 0;
    this.mentioned = false;
    this.#completePins();
    this.#options.seen?.shown(() => this.#latest());
  }

  lookAway(): void {
    this.isLookedAt = false;
  }

  /** The user has left the room, or may not enter it. */
  forget(): void {
    this.#options.seen?.forget();
  }

  // What I do.

  /** Sends the draft, or the edit. */
  async submit(): Promise<void> {
    const { draft, editing, answering } = this.composing;
    const text = draft.trim();
    if (editing !== null) {
      // The draft stays until the server has taken it.
      if (text === editing.text || (await this.#ask(this.#options.client.edit(this.key, editing.seq, text)))) {
        this.composing.done();
      }
      return;
    }
    const key = this.#options.newKey();
    const message = this.#options.client.outbox.add({ room: this.key, key, text, replyTo: answering?.seq });
    if (message === undefined) {
      this.#options.tell(new Error(words().composer.tooManyWait));
      return;
    }
    this.composing.done();
    this.reading.answered();
    this.sign.sent();
    this.timeline.send(message);
    await this.#ask(this.reading.toEnd());
  }

  /** Under the same key: if the first attempt arrived, the server repeats its answer. */
  retry({ key }: Said): void {
    if (key === undefined) return;
    this.#options.client.outbox.retry(this.key, key);
    const message = this.#options.client.outbox.of(this.key).find((other) => other.key === key);
    if (message !== undefined) this.timeline.send(message);
  }

  discard({ id, key }: Said): void {
    if (key !== undefined) this.#options.client.outbox.discard(this.key, key);
    this.timeline.discard(id);
  }

  editLast(): void {
    const mine = this.timeline.lines.findLast((line) => isStored(line) && line.isMine && !line.deleted);
    if (mine !== undefined && isStored(mine)) this.composing.edit(mine);
  }

  async delete({ seq }: Pick<Stored, 'seq'>): Promise<void> {
    await this.#ask(this.#options.client.delete(this.key, seq));
  }

  async react({ seq }: Stored, emoji: string, on: boolean): Promise<void> {
    await this.#ask(this.#options.client.react(this.key, seq, emoji, on));
  }

  async pin(seq: number, on: boolean): Promise<void> {
    await this.#ask(this.#options.client.pin(this.key, seq, on));
  }

  /** Goes to a message, as soon as the room is joined. */
  async lookFor(seq: number): Promise<void> {
    this.#sought = this.isJoined ? null : seq;
    if (this.isJoined) await this.#ask(this.#find(seq));
  }

  /** People who are online with this in their keys or names. Asks the server only if it has not named all of them. */
  async findPeople(text: string): Promise<readonly Person[]> {
    if (this.people.unnamed === 0) return [];
    const query = { q: text === '' ? undefined : text, limit: FOUND };
    return (await this.online(query)).users;
  }

  async lookAtLatest(): Promise<void> {
    await this.#ask(this.reading.toEnd());
  }

  /** Asks who has a role here, the first of a large room, and `user` in any case. Rejects as `members` does. */
  async readMembers(user?: string): Promise<void> {
    const { next } = await this.members({ limit: 200 });
    if (user && next) await this.members({ q: user });
  }

  /** A page of those who have a role here. Rejects with CommandRefused or ConnectionLost. */
  async members(query: ListQuery): Promise<MembersPage> {
    const page = await this.#options.client.members(this.key, query);
    this.#options.colours?.tell(page.members);
    this.#tell(() => this.#about.learn(page, query));
    return page;
  }

  /** A page of those who are online. Rejects with CommandRefused or ConnectionLost. */
  async online(query: ListQuery): Promise<OnlinePage> {
    const page = await this.#options.client.online(this.key, query);
    this.#options.colours?.tell(page.users);
    return page;
  }

  // What happens.

  sent(message: Unsent, ack: Ack): void {
    this.isReadOnly = false;
    this.silentUntil = this.isSlow ? this.#options.clock.now() + this.about.slow * 1000 : 0;
    this.timeline.confirm(message, ack);
  }

  failed(message: Unsent): void {
    if (message.failure?.code === 'forbidden') this.#askWhy();
    this.timeline.send(message);
  }

  /** The user did not ask to send `typing`, so an error is shown only if it is about the room, and only once. */
  typingRefused(code: ErrorEvent['code']): void {
    if (code !== 'forbidden' || this.isReadOnly) return;
    this.isReadOnly = true;
    this.#askWhy();
  }

  apply(event: RoomEvent): void {
    const now = this.#options.clock.now();
    const isMe = 'user' in event && event.user === this.#options.me().user;
    switch (event.type) {
      case 'joined':
        this.#joined(event);
        break;
      case 'message':
        this.#said(event);
        this.#meet(event);
        this.typists.stopped(event.user);
        break;
      case 'sync':
        if (event.kind !== undefined) this.#tell(() => this.#about.caughtUp(event));
        this.#trim(event.floor);
        for (const message of event.messages) this.#said(message);
        break;
      case 'changed':
        this.messages.change(event);
        this.pins.follow(event);
        break;
      case 'room':
        this.hasSettings = true;
        this.#tell(() => this.#about.changed(event));
        this.isReadOnly = false;
        this.#trim(event.floor);
        break;
      case 'join': {
        const { user, name, guest, color, online } = event;
        if (this.people.came({ user, name, guest, color }, online) && !isMe) this.timeline.came(event, now);
        break;
      }
      case 'leave':
        this.typists.stopped(event.user);
        if (this.people.went(event.user, event.online) && !isMe) this.timeline.went(event, now);
        break;
      case 'online':
        this.people.counted(event.online);
        break;
      case 'typing':
        if (event.active && !isMe && !this.#isBlocked(event.user)) this.typists.started(event.user, event.name);
        else this.typists.stopped(event.user);
        break;
    }
    if (OF_LOG.has(event.type)) this.#options.seen?.changed(() => this.#latest());
  }

  /** Shows what the user saw last, until the room is joined. */
  async #restore(): Promise<void> {
    const lines = (await this.#options.seen?.load()) ?? [];
    if (this.isJoined) return;
    this.timeline.restore(lines);
    this.#wasActive(lines.at(-1)?.at);
  }

  /** The end of the room's log, or null if it is not here. */
  #latest(): readonly Logged[] | null {
    return this.isJoined && !this.timeline.isBehind ? this.timeline.logged : null;
  }

  #joined(event: Joined): void {
    if (event.title === undefined) this.#spelled = event.name;
    this.hasSettings = event.kind !== undefined;
    this.#tell(() => this.#about.joined(event));
    this.isReadOnly = false;
    this.people.startOver(event.users, event.online);
    this.typists.startOver();
    this.keepsMessages = event.rev !== undefined;
    const messages = event.messages ?? [];
    if (event.recovered) {
      this.#trim(event.floor);
      for (const message of messages) this.#said(message);
    } else if (this.keepsMessages) {
      this.#startOver(messages, event);
    } else if (this.isJoined || !this.timeline.isEmpty) {
      // A room that stores nothing sends no messages to start over with: keep the old ones readable.
      this.timeline.missed(this.#options.clock.now());
    }
    this.isJoined = true;
    this.#completePins();
    if (this.#sought !== null) void this.lookFor(this.#sought);
  }

  async #find(seq: number): Promise<void> {
    if (!(await this.reading.to(seq))) throw new Error(words().timeline.noSuchMessage);
  }

  #startOver(messages: readonly MessageEvent[], { seq = 0, floor }: Joined): void {
    this.reading.head = seq;
    this.timeline.startOver(messages, seq, floor);
    this.pins.startOver();
    for (const message of messages) this.pins.follow(message);
    const latest = messages.at(-1);
    if (latest !== undefined) this.#wasActive(Date.parse(latest.ts));
  }

  #wasActive(at = 0): void {
    this.activeAt = Math.max(this.activeAt, at);
  }

  /** A new message, or an old one that has changed. */
  #said(event: MessageEvent): void {
    this.#wasActive(Date.parse(event.ts));
    this.timeline.show(event);
    this.pins.follow(event);
    if (event.seq !== undefined && event.seq <= this.reading.head) return;
    this.reading.head = event.seq ?? 0;
    if (event.user === this.#options.me().user || event.deleted !== undefined) return;
    if (this.#isBlocked(event.user)) return;
    this.reading.came(event.seq, this.isLookedAt);
    if (this.isLookedAt) return;
    this.unseen += 1;
    this.mentioned ||= mentions(event.text, this.#options.me());
  }

  #trim(floor: number | undefined): void {
    if (floor === undefined) return;
    this.timeline.trim(floor);
    this.messages.trim(floor);
  }

  *#everybody(): Generator<Person> {
    yield this.#options.me();
    yield* this.people.list;
    for (const line of this.timeline.lines) if (line.kind === 'said') yield line;
  }

  #tell(apply: () => void): void {
    apply();
    this.#told += 1;
  }

  /** The user may not write here: perhaps somebody has muted them, which the server tells nobody by itself. */
  #askWhy(): void {
    this.readMembers(this.#options.me().user).catch(() => {});
  }

  #isBlocked(user: string): boolean {
    return this.#options.isBlocked?.(user) === true;
  }

  async #history(place: Place): Promise<HistoryPage> {
    const page = await this.#options.client.history(this.key, place);
    this.#options.colours?.tell(page.users);
    return page;
  }

  /**
   * In a large room not everybody is named, and programs send for people who are not here. A page names its authors.
   * Not at once: everybody in the room would ask in the same moment.
   */
  #meet({ user, seq }: MessageEvent): void {
    if (seq === undefined || !server.hasAccounts || this.#options.colours?.isTold(user) !== false) return;
    if (this.#isAsking) return;
    this.#isAsking = true;
    this.#options.clock.after(Math.random() * ASKED_WITHIN, () => {
      void this.#history({ around: seq, limit: 1 })
        .catch(() => {})
        .then(() => (this.#isAsking = false));
    });
  }

  /** Only for the shown room: a user who returns to thirty rooms would send too many requests. */
  #completePins(): void {
    if (this.isLookedAt && this.isJoined && this.keepsMessages) void this.pins.complete();
  }

  /** Returns whether it was done. If not, the user has been told why. */
  async #ask(answer: Promise<unknown>): Promise<boolean> {
    try {
      await answer;
      return true;
    } catch (error) {
      this.#options.tell(error);
      return false;
    }
  }
}
