/**
 * The browser's history: Back leads to the room before, and where the list of rooms is not beside the conversation, from
 * a room to the list. Each entry's address is a room's; what else there is to know stands in the entry's state.
 */
import { fold } from 'hubbub-client';
import { addressIn } from './models/address';

interface Entry {
  at: 'list' | 'room';
  /** The entry before this one is the list. */
  isOverList: boolean;
}

export class Navigation {
  readonly #follow: (room: string) => void;
  #isAtList = $state(false);
  #wrong = $state<string | null>(null);

  /** `follow` shows the room to which the person has gone by Back, Forward or a new address. */
  constructor(follow: (room: string) => void) {
    this.#follow = follow;
    this.#look();
  }

  /** The list of rooms is what is looked at, if it is not beside the conversation anyway. */
  get isAtList(): boolean {
    return this.#isAtList;
  }

  /** An address that can't be a room's, and nothing is shown for. */
  get wrong(): string | null {
    return this.#wrong;
  }

  get room(): string | null {
    const address = addressIn(location.hash);
    return address.kind === 'room' ? address.key : null;
  }

  /** The browser has gone elsewhere. */
  moved(): void {
    this.#look();
    if (this.room !== null) this.#follow(this.room);
  }

  /** Somebody chose a room. */
  to(key: string): void {
    if (this.#isAtList || !this.#isAt(key)) this.#push({ at: 'room', isOverList: this.#isAtList }, key);
  }

  toList(): void {
    if (entry()?.isOverList === true) history.back();
    else this.#push({ at: 'list', isOverList: false }, null);
  }

  /** Nothing was chosen from the list. */
  leaveList(): void {
    if (this.#isAtList) this.#push({ at: 'room', isOverList: true }, null);
  }

  /**
   * A room is shown that nobody chose: the first one, or the next when its neighbour was left. The list stands below
   * the first one where it is not beside it.
   */
  shows(key: string, listIsBeside: boolean): void {
    if (this.#wrong !== null) return;
    const known = entry();
    if (known !== null) {
      if (!this.#isAt(key)) history.replaceState(known, '', `#${key}`);
    } else if (listIsBeside) {
      history.replaceState({ at: 'room', isOverList: false } satisfies Entry, '', `#${key}`);
    } else {
      history.replaceState({ at: 'list', isOverList: false } satisfies Entry, '', `#${key}`);
      this.#push({ at: 'room', isOverList: true }, key);
    }
  }

  #push(next: Entry, key: string | null): void {
    history.pushState(next, '', key === null ? location.href : `#${key}`);
    this.#look();
  }

  #look(): void {
    const address = addressIn(location.hash);
    this.#isAtList = entry()?.at === 'list';
    this.#wrong = address.kind === 'wrong' ? address.text : null;
  }

  #isAt(key: string): boolean {
    return this.room !== null && fold(this.room) === fold(key);
  }
}

/** None where the entry was made by a link, or by hand. */
function entry(): Entry | null {
  const state = history.state as Partial<Entry> | null;
  return state?.at === 'list' || state?.at === 'room' ? { at: state.at, isOverList: state.isOverList === true } : null;
}
