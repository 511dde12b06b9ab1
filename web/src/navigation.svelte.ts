/**
 * The browser's history: Back leads to the previous room and, if the list of rooms is not beside the conversation, from
 * a room to the list. Each entry's address is that of a room; everything more is in the entry's state.
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

  /** `follow` shows the room after Back, Forward or a new address. */
  constructor(follow: (room: string) => void) {
    this.#follow = follow;
    this.#look();
  }

  /** The list of rooms is shown, if it is not beside the conversation anyway. */
  get isAtList(): boolean {
    return this.#isAtList;
  }

  /** An address that cannot be that of a room. */
  get wrong(): string | null {
    return this.#wrong;
  }

  get room(): string | null {
    const address = addressIn(location.hash);
    return address.kind === 'room' ? address.key : null;
  }

  /** The browser has gone to another entry. */
  moved(): void {
    this.#look();
    if (this.room !== null) this.#follow(this.room);
  }

  /** The user chose a room. */
  to(key: string): void {
    if (this.#isAtList || !this.#isAt(key)) this.#push({ at: 'room', isOverList: this.#isAtList }, key);
  }

  toList(): void {
    if (entry()?.isOverList === true) history.back();
    else this.#push({ at: 'list', isOverList: false }, null);
  }

  /** The user left the list without a choice. */
  leaveList(): void {
    if (this.#isAtList) this.#push({ at: 'room', isOverList: true }, null);
  }

  /**
   * A room is shown that the user did not choose: the first one, or the neighbour of a room that was left. If the list
   * is not beside the conversation, it is the entry before the first room.
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

/** Undefined if a link or the user made the entry. */
function entry(): Entry | null {
  const state = history.state as Partial<Entry> | null;
  return state?.at === 'list' || state?.at === 'room' ? { at: state.at, isOverList: state.isOverList === true } : null;
}
