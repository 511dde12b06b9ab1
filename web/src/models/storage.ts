/**
 * What the page remembers on this device. Who I am belongs to the tab, so that two tabs can be two
 * people; what it takes to come back as somebody is shared by all tabs.
 */
import { fold } from 'hubbub-client';

export type Store = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

export interface Stores {
  tab: Store;
  device: Store;
  /** Pages of several servers can share an origin, under different prefixes. */
  scope: string;
}

export class Remembered {
  readonly #stores: Stores;

  constructor(stores: Stores) {
    this.#stores = stores;
  }

  /** The name that this tab goes by. Remembered on the device as well, as the next suggestion. */
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

  roomsOf(name: string): string[] {
    const rooms: unknown = JSON.parse(this.#read(this.#stores.device, `rooms:${fold(name)}`) ?? '[]');
    return Array.isArray(rooms) ? rooms.filter((room) => typeof room === 'string') : [];
  }

  keepRooms(name: string, rooms: readonly string[]): void {
    this.#write(this.#stores.device, `rooms:${fold(name)}`, JSON.stringify(rooms));
  }

  get theme(): string | null {
    return this.#read(this.#stores.device, 'theme');
  }

  set theme(theme: string | null) {
    this.#write(this.#stores.device, 'theme', theme);
  }

  #read(store: Store, name: string): string | null {
    return store.getItem(`hubbub ${this.#stores.scope} ${name}`);
  }

  /** A full or forbidden storage costs the memory, not the conversation. */
  #write(store: Store, name: string, value: string | null): void {
    const key = `hubbub ${this.#stores.scope} ${name}`;
    try {
      if (value === null) store.removeItem(key);
      else store.setItem(key, value);
    } catch (error) {
      console.warn('Nothing can be remembered on this device:', error);
    }
  }
}
