/**
 * The messages that a user saw last, stored on this device. The page shows them at its next start until the server
 * answers, and then what the server says.
 */
import { fold, type Clock } from 'hubbub-client';
import type { Said } from './lines';
import type { Logged } from './messages.svelte';

/** Texts by name: a place for more than the browser's `Storage` holds. It may be full or forbidden, and then rejects. */
export interface Archive {
  /** Those stored first come first. */
  names(): Promise<string[]>;
  load(name: string): Promise<string | null>;
  keep(name: string, text: string): Promise<void>;
  forget(name: string): Promise<void>;
}

type Access = <Result>(act: (archive: Archive) => Promise<Result>) => Promise<Result | undefined>;

/** Of all who use this device; a further room replaces the oldest. */
const ROOMS = 20;
const MESSAGES = 50;
/** Of one room, in characters. */
const LENGTH = 50_000;
/** Milliseconds between a change and its storing: a busy room is not stored for each message. */
const DELAY = 2_000;

/** What one user has seen. */
export class Seen {
  readonly #archive: Archive;
  readonly #clock: Clock;
  readonly #prefix: string;
  readonly #known: Promise<ReadonlySet<string>>;
  /** One access after the other, so that nothing is stored after it was forgotten. */
  #last: Promise<unknown> = Promise.resolve();
  #isOver = false;

  constructor(archive: Archive, clock: Clock, name: string) {
    this.#archive = archive;
    this.#clock = clock;
    this.#prefix = `${encodeURIComponent(fold(name))} `;
    this.#known = this.#access((opened) => opened.names()).then((names) => new Set(names));
  }

  of(room: string): SeenRoom {
    const name = this.#prefix + fold(room);
    return new SeenRoom(name, this.#clock, this.#known, (act) => this.#access(act));
  }

  /** The user leaves this device: forget everything, and store nothing more. */
  end(): void {
    void this.#access(async (archive) => {
      for (const name of await archive.names()) if (name.startsWith(this.#prefix)) await archive.forget(name);
    });
    this.#isOver = true;
  }

  async #access<Result>(act: (archive: Archive) => Promise<Result>): Promise<Result | undefined> {
    if (this.#isOver) return undefined;
    const done = this.#last.then(() => act(this.#archive));
    this.#last = done.catch((error: unknown) => console.warn('Nothing can be stored on this device:', error));
    return done.catch(() => undefined);
  }
}

export class SeenRoom {
  readonly #name: string;
  readonly #clock: Clock;
  readonly #known: Promise<ReadonlySet<string>>;
  readonly #access: Access;
  /** It is stored, or will be. A room in which nobody looks is not. */
  #isKept = false;
  #isDue = false;
  #isForgotten = false;

  constructor(name: string, clock: Clock, known: Promise<ReadonlySet<string>>, access: Access) {
    this.#name = name;
    this.#clock = clock;
    this.#known = known;
    this.#access = access;
  }

  async load(): Promise<Logged[]> {
    if (!(await this.#known).has(this.#name)) return [];
    this.#isKept = true;
    return linesIn((await this.#access((archive) => archive.load(this.#name))) ?? null);
  }

  /** The user looks at the room. */
  shown(lines: () => readonly Logged[] | null): void {
    this.#isKept = true;
    this.changed(lines);
  }

  /** `lines` is called later, and returns null if the room's latest messages are not known then. */
  changed(lines: () => readonly Logged[] | null): void {
    if (!this.#isKept || this.#isDue) return;
    this.#isDue = true;
    this.#clock.after(DELAY, () => {
      this.#isDue = false;
      const latest = this.#isForgotten ? null : lines();
      if (latest !== null) this.#keep(latest);
    });
  }

  forget(): void {
    this.#isForgotten = true;
    void this.#access((archive) => archive.forget(this.#name));
  }

  #keep(lines: readonly Logged[]): void {
    void this.#access(async (archive) => {
      if (lines.length === 0) return archive.forget(this.#name);
      await archive.keep(this.#name, textOf(lines));
      const names = await archive.names();
      for (const oldest of names.slice(0, -ROOMS)) await archive.forget(oldest);
    });
  }
}

/** The latest of them, as many as there is space for. */
function textOf(lines: readonly Logged[]): string {
  const texts: string[] = [];
  let length = 0;
  for (const line of lines.slice(-MESSAGES).reverse()) {
    const text = JSON.stringify(line);
    length += text.length + 1;
    if (length > LENGTH) break;
    texts.unshift(text);
  }
  return `[${texts.join(',')}]`;
}

function linesIn(text: string | null): Logged[] {
  try {
    const lines: unknown = JSON.parse(text ?? '[]');
    return Array.isArray(lines) ? lines.filter(isLogged) : [];
  } catch {
    return [];
  }
}

/** False if another version of the page wrote it, or somebody by hand. */
function isLogged(value: unknown): value is Logged {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, id, seq, text, at, user, name, reactions, state } = value as { [Field in keyof Said]?: unknown };
  const isMessage =
    typeof id === 'string' && typeof seq === 'number' && typeof text === 'string' && typeof at === 'number';
  const isSaid = typeof user === 'string' && typeof name === 'string' && Array.isArray(reactions) && state === 'sent';
  return isMessage && (kind === 'announced' || (kind === 'said' && isSaid));
}
