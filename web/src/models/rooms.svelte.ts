/** The rooms of this tab, and the one that is shown. */
import { SvelteMap } from 'svelte/reactivity';
import { fold, type Client, type ListedRoom } from 'hubbub-client';
import type { Room } from './room.svelte';
import type { Route } from './route';

const FIRST_ROOM = 'general';
/** More than this nobody reads: a few more letters find the others. */
const FOUND = 20;

export interface RoomsOptions {
  client: Pick<Client, 'join' | 'leave' | 'rooms'>;
  make: (key: string) => Room;
  /** The rooms of the last time. */
  known: readonly string[];
  keep: (keys: string[]) => void;
}

export class Rooms {
  readonly #options: RoomsOptions;
  readonly #byKey = new SvelteMap<string, Room>();
  #current = $state.raw<Room | null>(null);

  readonly list: readonly Room[] = $derived([...this.#byKey.values()]);
  /** Messages in all rooms that the user has not seen. */
  readonly unseen: number = $derived(this.list.reduce((sum, room) => sum + room.unseen, 0));

  constructor(options: RoomsOptions) {
    this.#options = options;
  }

  get current(): Room | null {
    return this.#current;
  }

  get(key: string): Room | undefined {
    return this.#byKey.get(fold(key));
  }

  /** Rooms of the server with this text in their keys or names. None, if the server cannot list them now. */
  async find(text: string): Promise<ListedRoom[]> {
    const query = { q: text === '' ? undefined : text, limit: FOUND };
    return this.#options.client.rooms(query).then(
      ({ rooms }) => rooms,
      () => [],
    );
  }

  /** Opens the rooms of the last time, and shows what the route leads to. */
  open(route: Route): void {
    const { known } = this.#options;
    for (const key of known.length > 0 ? known : [FIRST_ROOM]) this.#add(key);
    if (route.kind === 'room') this.lookAt(route.room, route.message);
    else this.lookAt(this.list[0]?.key ?? FIRST_ROOM);
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
    this.forget(room);
    this.#options.client.leave(room.key);
  }

  /** The room is left, or cannot be joined. Its neighbour is shown. */
  forget(room: Room): void {
    this.#byKey.delete(fold(room.key));
    room.forget();
    if (this.#current === room) {
      this.#current = this.list[0] ?? null;
      this.#current?.lookAt();
    }
    this.#keep();
  }

  #add(key: string): Room {
    const known = this.get(key);
    if (known !== undefined) return known;
    const room = this.#options.make(key);
    this.#byKey.set(fold(key), room);
    this.#options.client.join(key);
    this.#keep();
    return room;
  }

  #keep(): void {
    this.#options.keep(this.list.map(({ key }) => key));
  }
}
