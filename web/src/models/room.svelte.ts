/** One room as this tab sees it: puts each event where it belongs. */
import type { Clock, Event, Joined, MessageEvent } from 'hubbub-client';
import { People } from './people.svelte';
import { mentions, type Me } from './text';
import { Timeline } from './timeline.svelte';
import { TypingSign, Typists } from './typing.svelte';

export type RoomEvent = Extract<
  Event,
  { type: 'joined' | 'sync' | 'message' | 'changed' | 'join' | 'leave' | 'online' | 'typing' }
>;

export interface RoomOptions {
  clock: Clock;
  me: () => Me;
  tellTyping: (active: boolean) => void;
}

export class Room {
  readonly key: string;
  readonly timeline = new Timeline();
  readonly people = new People();
  readonly typists: Typists;
  readonly sign: TypingSign;
  name = $state('');
  draft = $state('');
  /** Messages that came while nobody looked at this room. */
  unseen = $state(0);
  mentioned = $state(false);
  isJoined = $state(false);
  isLookedAt = false;
  readonly #options: RoomOptions;

  constructor(key: string, options: RoomOptions) {
    this.key = key;
    this.name = key;
    this.#options = options;
    this.typists = new Typists(options.clock);
    this.sign = new TypingSign(options.clock, options.tellTyping);
  }

  lookAt(): void {
    this.isLookedAt = true;
    this.unseen = 0;
    this.mentioned = false;
  }

  lookAway(): void {
    this.isLookedAt = false;
  }

  apply(event: RoomEvent): void {
    const now = this.#options.clock.now();
    const isMe = 'user' in event && event.user === this.#options.me().user;
    switch (event.type) {
      case 'joined':
        this.#joined(event);
        break;
      case 'message':
        this.#said(event, isMe);
        break;
      case 'sync':
        for (const message of event.messages) this.timeline.show(message);
        break;
      case 'changed':
        this.timeline.change(event);
        break;
      case 'join':
        this.people.came({ user: event.user, name: event.name, guest: event.guest }, event.online);
        if (!isMe) this.timeline.came(event.name, now);
        break;
      case 'leave':
        this.people.went(event.user, event.online);
        this.typists.stopped(event.user);
        if (!isMe) this.timeline.went(event.name, now);
        break;
      case 'online':
        this.people.counted(event.online);
        break;
      case 'typing':
        if (event.active && !isMe) this.typists.started(event.user, event.name);
        else this.typists.stopped(event.user);
        break;
    }
  }

  #joined(event: Joined): void {
    const messages = event.messages ?? [];
    this.name = event.name;
    this.people.startOver(event.users, event.online);
    this.typists.startOver();
    if (event.recovered) for (const message of messages) this.timeline.show(message);
    else if (event.rev !== undefined) this.timeline.startOver(messages);
    // A room that stores nothing has nothing to begin again with: what was read stays readable.
    else if (this.isJoined || !this.timeline.isEmpty) this.timeline.missed(this.#options.clock.now());
    this.isJoined = true;
  }

  #said(event: MessageEvent, isMe: boolean): void {
    this.timeline.show(event);
    this.typists.stopped(event.user);
    if (this.isLookedAt || isMe) return;
    this.unseen += 1;
    this.mentioned ||= mentions(event.text, this.#options.me());
  }
}
