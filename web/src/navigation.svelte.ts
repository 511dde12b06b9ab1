/**
 * The browser's history: Back leads to the previous room or message and, if the list of rooms is not beside the
 * conversation, from a room to the list. Each entry's address is a route; everything more is in the entry's state.
 */
import { addressOf, addressOfPanel, isIn, routeIn, type Panel, type Route } from './models/route';

interface Entry {
  at: 'list' | 'room';
  /** The entry before this one is the list. */
  isOverList: boolean;
  /** It is a dialog, and the entry before this one is what is below. */
  isPanel?: boolean;
}

/** A link to one of the forms for accounts. */
export interface AccountLink {
  kind: 'setup' | 'invite' | 'reset' | 'confirm' | 'logIn';
  /** For `logIn`, what became of the log-in at a provider. */
  token: string;
}

/** Where the user was before going to a log-in provider. */
const PLACE = 'hubbub:place';

/** Takes such a link out of the address, so that the browser's history does not keep its token. */
export function takeLink(): AccountLink | null {
  const [, kind, token] = /^#\/(setup|invite|reset|confirm|log-in)\/(.+)$/.exec(location.hash) ?? [];
  if (kind === undefined || token === undefined) return null;
  const place = kind === 'log-in' ? (sessionStorage.getItem(PLACE) ?? '') : '';
  history.replaceState(null, '', location.pathname + location.search + place);
  return { kind: kind === 'log-in' ? 'logIn' : (kind as AccountLink['kind']), token };
}

/** Goes to a log-in provider, which leads back to this page. */
export function leaveFor(provider: string): void {
  sessionStorage.setItem(PLACE, location.hash);
  location.assign(provider);
}

export class Navigation {
  readonly #follow: (room: string, message: number | undefined) => void;
  #isAtList = $state(false);
  #route = $state.raw<Route>({ kind: 'start' });

  /** `follow` shows a room, or one of its messages, wherever the user goes. */
  constructor(follow: (room: string, message: number | undefined) => void) {
    this.#follow = follow;
    this.#look();
  }

  /** The list of rooms is shown, if it is not beside the conversation anyway. */
  get isAtList(): boolean {
    return this.#isAtList;
  }

  get route(): Route {
    return this.#route;
  }

  /** The browser has gone to another entry. */
  moved(): void {
    this.#look();
    this.#arrive();
  }

  /** The user chose a room, or a message. */
  to(room: string, message?: number): void {
    const address = addressOf(room, message);
    if (this.#isAtList || !this.#isAt(room, message)) this.#push({ at: 'room', isOverList: this.#isAtList }, address);
    this.#arrive();
  }

  toList(): void {
    if (entry()?.isOverList === true) history.back();
    else this.#push({ at: 'list', isOverList: false });
  }

  /** The user left the list without a choice. */
  leaveList(): void {
    if (this.#isAtList) this.#push({ at: 'room', isOverList: true });
  }

  /** The user opened a dialog, or another tab of it. Back closes it from every tab. */
  openPanel(panel: Panel, tab = ''): void {
    const address = addressOfPanel(panel, tab);
    const below: Entry = { at: this.#isAtList ? 'list' : 'room', isOverList: false, isPanel: true };
    if (this.#route.kind !== 'panel') this.#push(below, address);
    else if (address !== location.hash) this.#replace(entry(), address);
  }

  closePanel(): void {
    if (this.#route.kind !== 'panel') return;
    if (entry()?.isPanel) history.back();
    else this.#replace(null, location.pathname + location.search);
  }

  /**
   * A room is shown that the user did not choose: the first one, or the neighbour of a room that was left. If the list
   * is not beside the conversation, it is the entry before the first room.
   */
  shows(room: string, listIsBeside: boolean): void {
    if (this.#route.kind === 'wrong' || this.#route.kind === 'panel') return;
    const known = entry();
    const address = isIn(this.#route, room) ? location.hash : addressOf(room);
    if (known !== null) {
      if (address !== location.hash) this.#replace(known, address);
    } else if (listIsBeside) {
      this.#replace({ at: 'room', isOverList: false }, address);
    } else {
      this.#replace({ at: 'list', isOverList: false }, address);
      this.#push({ at: 'room', isOverList: true }, address);
    }
  }

  #push(next: Entry, address = location.href): void {
    history.pushState(next, '', address);
    this.#look();
  }

  #replace(next: Entry | null, address: string): void {
    history.replaceState(next, '', address);
    this.#look();
  }

  #look(): void {
    this.#isAtList = entry()?.at === 'list';
    this.#route = routeIn(location.hash);
  }

  #arrive(): void {
    if (this.#route.kind === 'room') this.#follow(this.#route.room, this.#route.message);
  }

  #isAt(room: string, message: number | undefined): boolean {
    return this.#route.kind === 'room' && isIn(this.#route, room) && this.#route.message === message;
  }
}

/** Null if a link or the user made the entry. */
function entry(): Entry | null {
  const state = history.state as Partial<Entry> | null;
  if (state?.at !== 'list' && state?.at !== 'room') return null;
  return { at: state.at, isOverList: state.isOverList === true, isPanel: state.isPanel === true };
}
