/** The rooms of this tab, and the one that is shown. */
import { SvelteMap } from 'svelte/reactivity';
import { fold, type Client, type ListedRoom, type ListQuery, type RoomsPage } from 'hubbub-client';
import type { Room } from './room.svelte';
import type { Route } from './route';
import { server } from './server.svelte';
import { ORDERS, sectionsOf, type Order, type Section } from './sections';
import type { RoomStore } from './storage';

/** How the keys of the rooms begin that only their members know. */
const OWN = ['private:', 'dm:'];
/** The most that the server lists at once, and the most rooms that it lets one connection join. */
const LISTED = 200;
/** More than this nobody reads: a few more letters find the others. */
const FOUND = 20;

export interface RoomsOptions {
  client: Pick<Client, 'join' | 'leave' | 'rooms'>;
  make: (key: string) => Room;
  /** What this device remembers of the last time. */
  store: RoomStore;
}

export class Rooms {
  readonly #options: RoomsOptions;
  readonly #byKey = new SvelteMap<string, Room>();
  /** Folded keys. */
  #favourites = $state.raw<ReadonlySet<string>>(new Set());
  #order = $state<Order>('name');
  #current = $state.raw<Room | null>(null);
  /** The activity of the rooms when the list was last allowed to move. */
  #held = $state.raw<ReadonlyMap<Room, number> | null>(null);

  readonly sections: readonly Section<Room>[] = $derived(
    sectionsOf(
      [...this.#byKey.values()],
      this.#order,
      (room) => this.isFavourite(room),
      (room) => this.#held?.get(room) ?? room.activeAt,
    ),
  );
  /** In the order in which they are shown. */
  readonly list: readonly Room[] = $derived(this.sections.flatMap(({ rooms }) => rooms));
  /** Messages in all rooms that the user has not seen. */
  readonly unseen: number = $derived(this.list.reduce((sum, room) => sum + room.unseen, 0));

  constructor(options: RoomsOptions) {
    this.#options = options;
    this.#favourites = new Set(options.store.favourites());
    this.#order = ORDERS.find((order) => order === options.store.order()) ?? 'name';
  }

  get order(): Order {
    return this.#order;
  }

  set order(order: Order) {
    this.#order = order;
    this.#options.store.keepOrder(order);
  }

  isFavourite({ key }: Room): boolean {
    return this.#favourites.has(fold(key));
  }

  favour({ key }: Room, on: boolean): void {
    const { store } = this.#options;
    // Another tab may have changed them.
    const favourites = new Set(store.favourites());
    if (on) favourites.add(fold(key));
    else favourites.delete(fold(key));
    this.#favourites = favourites;
    store.keepFavourites([...favourites]);
  }

  /** A list under the mouse or with the focus does not move: a click would hit another room. */
  hold(isHeld: boolean): void {
    if (isHeld) this.#held ??= new Map(this.list.map((room) => [room, room.activeAt]));
    else this.#held = null;
  }

  /** A page of all rooms of the server that the user may join. Rejects with CommandRefused or ConnectionLost. */
  browse(query: ListQuery): Promise<RoomsPage> {
    return this.#options.client.rooms(query);
  }

  get current(): Room | null {
    return this.#current;
  }

  get(key: string): Room | undefined {
    return this.#byKey.get(fold(key));
  }

  /** A text in which rooms that the user has are called by their names. Nobody reads the keys of private ones. */
  named(text: string): string {
    return text.replace(/#([\w:.@|-]*\w)/g, (found, key: string) => this.get(key)?.label ?? found);
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
    const known = this.#options.store.rooms();
    const rooms = known.length > 0 ? known : server.firstRooms;
    for (const key of rooms) this.#add(key);
    const first = known.length > 0 ? this.list[0]?.key : rooms[0];
    if (route.kind === 'room') this.lookAt(route.room, route.message);
    else if (first !== undefined) this.lookAt(first);
  }

  /** Shows a room, and one of its messages if that is given. Joins the room first if needed. */
  lookAt(key: string, message?: number): void {
    this.#current?.lookAway();
    const isNew = this.get(key) === undefined;
    this.#current = this.#add(key);
    if (isNew) this.#keep();
    this.#current.lookAt();
    if (message !== undefined) void this.#current.lookFor(message);
  }

  /** Messages that come while the page is hidden count as unread. */
  pageShown(shown: boolean): void {
    if (shown) this.#current?.lookAt();
    else this.#current?.lookAway();
  }

  /** Another tab has stored something there. */
  storedElsewhere(entry: string | null): void {
    for (const room of this.list) room.composing.storedElsewhere(entry);
  }

  /** Rooms that others have made the user a member of, also on another device. None, if the server cannot say now. */
  async openOwn(): Promise<void> {
    for (const q of OWN) {
      const { rooms } = await this.#options.client.rooms({ q, limit: LISTED });
      for (const { room, kind } of rooms) if (kind !== undefined) this.invited(room);
    }
  }

  /** The user is a member from now on. */
  invited(key: string): void {
    if (this.get(key) !== undefined) return;
    this.#add(key);
    this.#keep();
    if (this.#current === null) this.lookAt(key);
  }

  leave(room: Room): void {
    if (this.isFavourite(room)) this.favour(room, false);
    this.forget(room);
    this.#options.client.leave(room.key);
  }

  /** The room is left, or cannot be joined. Its neighbour is shown. */
  forget(room: Room): void {
    const place = this.list.indexOf(room);
    this.#byKey.delete(fold(room.key));
    room.forget();
    if (this.#current === room) {
      this.#current = this.list[place] ?? this.list.at(-1) ?? null;
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
    return room;
  }

  #keep(): void {
    this.#options.store.keepRooms([...this.#byKey.values()].map(({ key }) => key));
  }
}
