/**
 * What the page stores on this device. The user's name belongs to the tab, so that two tabs can be two
 * people. All tabs share the secrets with which a user comes back.
 */
import { fold, type OutboxStore, type Unsent } from 'hubbub-client';
import type { Person } from './names.svelte';

export type Store = Pick<Storage, 'getItem' | 'setItem' | 'removeItem' | 'key' | 'length'>;

export interface Stores {
  tab: Store;
  device: Store;
  /** Pages of several servers can share an origin, under different prefixes. */
  scope: string;
}

export interface RoomStore {
  rooms(): string[];
  keepRooms(keys: readonly string[]): void;
  favourites(): string[];
  keepFavourites(keys: readonly string[]): void;
  order(): string | null;
  keepOrder(order: string): void;
}

/** People whom one person does not want to hear of. */
export interface BlockedStore {
  /** Where they are stored on the device. */
  readonly entry: string;
  load(): Person[];
  keep(people: readonly Person[]): void;
}

/** An unsent draft in one room. */
export interface DraftStore {
  /** Where it is stored on the device. */
  readonly entry: string;
  load(): string;
  keep(text: string): void;
}

/** Drafts of one person; a further one replaces the oldest. */
const DRAFTS = 50;
/** More than a message may have. A longer text was pasted, and can be pasted again. */
const DRAFT_LENGTH = 10_000;

export class Remembered {
  readonly #stores: Stores;

  constructor(stores: Stores) {
    this.#stores = stores;
  }

  /** The name of this tab's user. It is also stored on the device, as the next suggestion. */
  get name(): string | null {
    return this.#read(this.#stores.tab, 'name');
  }

  set name(name: string | null) {
    this.#write(this.#stores.tab, 'name', name);
    if (name !== null) this.#write(this.#stores.device, 'last-name', name);
  }

  get suggestedName(): string {
    return this.#read(this.#stores.device, 'last-name') ?? '';
  }

  secretOf(name: string): string | null {
    return this.#read(this.#stores.device, `secret:${fold(name)}`);
  }

  keepSecret(name: string, secret: string | null): void {
    this.#write(this.#stores.device, `secret:${fold(name)}`, secret);
  }

  /** One person's rooms, favourites among them, and how they are sorted. */
  roomsOf(name: string): RoomStore {
    const { device } = this.#stores;
    const list = (entry: string) => stringsIn(this.#read(device, entry));
    const keep = (entry: string, keys: readonly string[]) => this.#write(device, entry, JSON.stringify(keys));
    const [rooms, favourites] = [`rooms:${fold(name)}`, `favourites:${fold(name)}`];
    return {
      rooms: () => list(rooms),
      keepRooms: (keys) => keep(rooms, keys),
      favourites: () => list(favourites),
      keepFavourites: (keys) => keep(favourites, keys),
      order: () => this.#read(device, 'room-order'),
      keepOrder: (order) => this.#write(device, 'room-order', order),
    };
  }

  blockedBy(name: string): BlockedStore {
    const { device } = this.#stores;
    const entry = `blocked:${fold(name)}`;
    return {
      entry: this.#entry(entry),
      load: () => peopleIn(this.#read(device, entry)),
      keep: (people) => this.#write(device, entry, people.length === 0 ? null : JSON.stringify(people)),
    };
  }

  /**
   * Messages that the server has not confirmed. Each is an entry of its own, so that two tabs of one person do not
   * overwrite each other's messages.
   */
  outboxOf(name: string): OutboxStore {
    const prefix = `unsent:${encodeURIComponent(fold(name))}:`;
    return {
      load: () => this.#valuesOf(this.#stores.device, prefix).flatMap(unsentIn),
      put: (message) => this.#write(this.#stores.device, prefix + message.key, JSON.stringify(message)),
      remove: (message) => this.#write(this.#stores.device, prefix + message.key, null),
    };
  }

  draftOf(name: string, room: string, now: () => number): DraftStore {
    const prefix = `draft:${encodeURIComponent(fold(name))}:`;
    const entry = prefix + fold(room);
    return {
      entry: this.#entry(entry),
      load: () => draftIn(this.#read(this.#stores.device, entry))?.text ?? '',
      keep: (text) => {
        const draft: Draft = { text: text.slice(0, DRAFT_LENGTH), at: now() };
        // Not after each key: it looks through all that is stored.
        const isOneMore = this.#read(this.#stores.device, entry) === null;
        this.#write(this.#stores.device, entry, text === '' ? null : JSON.stringify(draft));
        if (isOneMore) this.#forgetOldDrafts(prefix);
      },
    };
  }

  get theme(): string | null {
    return this.#read(this.#stores.device, 'theme');
  }

  set theme(theme: string | null) {
    this.#write(this.#stores.device, 'theme', theme);
  }

  get language(): string | null {
    return this.#read(this.#stores.device, 'language');
  }

  set language(language: string | null) {
    this.#write(this.#stores.device, 'language', language);
  }

  #forgetOldDrafts(prefix: string): void {
    const { device } = this.#stores;
    const drafts = this.#entriesOf(device, prefix);
    if (drafts.length <= DRAFTS) return;
    const age = (name: string) => draftIn(device.getItem(name))?.at ?? 0;
    const oldestFirst = drafts.sort((a, b) => age(a) - age(b));
    for (const name of oldestFirst.slice(0, -DRAFTS)) device.removeItem(name);
  }

  #read(store: Store, name: string): string | null {
    return store.getItem(this.#entry(name));
  }

  #valuesOf(store: Store, prefix: string): string[] {
    return this.#entriesOf(store, prefix).map((name) => store.getItem(name) ?? '');
  }

  #entriesOf(store: Store, prefix: string): string[] {
    const names = Array.from({ length: store.length }, (_, index) => store.key(index) ?? '');
    return names.filter((name) => name.startsWith(this.#entry(prefix)));
  }

  #entry(name: string): string {
    return `hubbub ${this.#stores.scope} ${name}`;
  }

  /** If the storage is full or forbidden, nothing is stored, but the conversation goes on. */
  #write(store: Store, name: string, value: string | null): void {
    try {
      if (value === null) store.removeItem(this.#entry(name));
      else store.setItem(this.#entry(name), value);
    } catch (error) {
      console.warn('Nothing can be stored on this device:', error);
    }
  }
}

/** None if another version of the page wrote it, or somebody by hand. */
function listIn(value: string | null): unknown[] {
  try {
    const list: unknown = JSON.parse(value ?? '[]');
    return Array.isArray(list) ? list : [];
  } catch {
    return [];
  }
}

function stringsIn(value: string | null): string[] {
  return listIn(value).filter((item) => typeof item === 'string');
}

function peopleIn(value: string | null): Person[] {
  return listIn(value).flatMap((item): Person[] => {
    const { user, name } = (item ?? {}) as Partial<Person>;
    return typeof user === 'string' && typeof name === 'string' ? [{ user, name }] : [];
  });
}

interface Draft {
  text: string;
  at: number;
}

function draftIn(value: string | null): Draft | null {
  try {
    const { text, at } = JSON.parse(value ?? '{}') as Partial<Draft>;
    return typeof text === 'string' && typeof at === 'number' ? { text, at } : null;
  } catch {
    return null;
  }
}

/** Undefined if another version of the page wrote it, or somebody by hand. */
function unsentIn(value: string): Unsent[] {
  try {
    const message = JSON.parse(value) as Partial<Unsent>;
    const { room, key, text, at } = message;
    const isWhole = typeof room === 'string' && typeof key === 'string' && typeof text === 'string';
    return isWhole && typeof at === 'number' ? [{ ...message, room, key, text, at }] : [];
  } catch {
    return [];
  }
}
