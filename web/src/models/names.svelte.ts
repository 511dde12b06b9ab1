/** Distinguishes people with the same name: each of them is shown with their key. */
import { fold, isKey } from 'hubbub-client';
import { withoutInvisible } from './text';

export interface Person {
  user: string;
  name: string;
}

/** The common forms of names, because making one is slow. At most this many. */
const LOOKS = 1_000;
const looks = new Map<string, string>();

export class Names {
  readonly #everybody: () => Iterable<Person>;
  #last: ReadonlySet<string> = new Set();
  /** The same set as long as it holds the same names: everything that shows a name depends on it. */
  readonly #shared: ReadonlySet<string> = $derived.by(() => {
    const shared = sharedNames(this.#everybody());
    const isSame = shared.size === this.#last.size && [...shared].every((name) => this.#last.has(name));
    if (!isSame) this.#last = shared;
    return this.#last;
  });

  constructor(everybody: () => Iterable<Person>) {
    this.#everybody = everybody;
  }

  /** The key, if the name alone could mean another person. */
  tagOf({ user, name }: Person): string | undefined {
    // A key belongs to one person for ever, so a name that equals its person's key is unique.
    if (fold(user) === fold(name)) return undefined;
    return isMadeFrom(name, user) || this.#shared.has(look(name)) ? `@${user}` : undefined;
  }

  /** For sentences. */
  inFull(person: Person): string {
    const tag = this.tagOf(person);
    return tag === undefined ? person.name : `${person.name} (${tag})`;
  }
}

function sharedNames(people: Iterable<Person>): Set<string> {
  const firstUser = new Map<string, string>();
  const shared = new Set<string>();
  for (const { user, name } of people) {
    const seen = look(name);
    const first = firstUser.get(seen);
    if (first === undefined) firstUser.set(seen, fold(user));
    else if (first !== fold(user)) shared.add(seen);
  }
  return shared;
}

/** `alice-x7k2` has the name "alice", but the key `alice` is another person's. */
function isMadeFrom(name: string, user: string): boolean {
  return isKey(name) && fold(user).startsWith(`${fold(name)}-`);
}

/** The common form of names that look the same: without compatibility forms, case and blanks. */
function look(name: string): string {
  const known = looks.get(name);
  if (known !== undefined) return known;
  const made = withoutInvisible(name.normalize('NFKC').toLowerCase()).replace(/\s+/g, ' ').trim();
  if (looks.size >= LOOKS) looks.clear();
  looks.set(name, made);
  return made;
}
