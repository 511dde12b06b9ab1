/** What the word at the caret can become, and which of these choices is marked. It knows no field and no server. */
import type { Clock } from 'hubbub-client';
import type { Choice, Sources } from './choices';
import { insertionOf, wordAt, type Insertion, type Word } from './completion';
import { holds, search } from './fuzzy';

/** More than this nobody reads: another letter finds the others. */
const SHOWN = 8;

export class Completing {
  readonly #sources: Sources;
  readonly #clock: Clock;
  #text = '';
  #word: Word | null = null;
  /** The user does not want this word to be completed. */
  #isDismissed = false;
  /** They stay in their order as long as the word is written, whatever happens in the room. */
  #known: readonly Choice[] = [];
  #more: readonly Choice[] = [];
  #stopAsking = () => {};
  #choices = $state.raw<readonly Choice[]>([]);
  #marked = $state<string | null>(null);

  constructor(sources: Sources, clock: Clock) {
    this.#sources = sources;
    this.#clock = clock;
  }

  /** The best first. None if nothing is completed. */
  get choices(): readonly Choice[] {
    return this.#choices;
  }

  get marked(): Choice | undefined {
    return this.#choices.find(({ id }) => id === this.#marked) ?? this.#choices[0];
  }

  /** The emoji whose name was written with both colons. */
  get finished(): Choice | undefined {
    return this.#word?.isClosed ? this.#choices[0] : undefined;
  }

  /** The user has changed the text. */
  wrote(text: string, caret: number): void {
    const word = wordAt(text, caret);
    if (word?.kind !== this.#word?.kind) this.#more = [];
    if (word?.kind !== this.#word?.kind || word?.start !== this.#word?.start) {
      this.#isDismissed = false;
      this.#known = word === null ? [] : this.#sources[word.kind].known();
    }
    this.#text = text;
    this.#word = word;
    this.#marked = null;
    if (word === null || this.#isDismissed) {
      this.hide();
      return;
    }
    this.#show(word);
    this.#askForMore(word);
  }

  /** The caret has moved. If the text is another one as well, the user has written, and it is known at once. */
  moved(text: string, caret: number): void {
    if (text === this.#text && caret !== this.#word?.end) this.hide();
  }

  /** The text is now this one. If the user has not written it, it was sent, or another one is edited. */
  follow(text: string): void {
    if (text !== this.#text) this.wrote(text, 0);
  }

  step(by: 1 | -1): void {
    const { length } = this.#choices;
    const from = this.#choices.findIndex((choice) => choice === this.marked);
    this.#marked = this.#choices[(from + by + length) % length]?.id ?? null;
  }

  /** Returns what to write. */
  take({ written }: Choice): Insertion | null {
    return this.#word && insertionOf(this.#word, written, this.#text);
  }

  /** Leaves the word as it is written. Returns false if nothing was to be completed. */
  dismiss(): boolean {
    if (this.#choices.length === 0) return false;
    this.#isDismissed = true;
    this.hide();
    return true;
  }

  hide(): void {
    this.#stopAsking();
    this.#choices = [];
  }

  #show({ query, isClosed }: Word): void {
    const ids = new Set(this.#known.map(({ id }) => id));
    const more = this.#more.filter(({ id }) => !ids.has(id));
    if (isClosed) this.#choices = named([...this.#known, ...more], query);
    // What comes later stands below, because the user may be about to take what is marked.
    else this.#choices = [...matching(this.#known, query), ...matching(more, query)].slice(0, SHOWN);
  }

  #askForMore(word: Word): void {
    this.#stopAsking();
    let isOutdated = false;
    const source = this.#sources[word.kind];
    const cancel = this.#clock.after(source.pause, () => {
      source.more(word.query).then(
        (more) => {
          if (isOutdated) return;
          this.#more = more;
          this.#show(word);
        },
        // The user completes what is known, or writes it out.
        () => {},
      );
    });
    this.#stopAsking = () => {
      isOutdated = true;
      cancel();
    };
  }
}

/** A match in the name counts more than one in other words. Without a query, all in their order. */
function matching(choices: readonly Choice[], query: string): readonly Choice[] {
  if (query === '') return choices;
  const found = choices.filter(({ name, words }) => holds(`${name} ${words}`, query));
  return search(found, ({ name, words }) => (holds(name, query) ? name : `${name} ${words}`), query);
}

/** The one with this name, or otherwise the first with this word. */
function named(choices: readonly Choice[], query: string): Choice[] {
  const wanted = query.toLowerCase();
  const found =
    choices.find(({ name }) => name === wanted) ?? choices.find(({ words }) => words.split(' ').includes(wanted));
  return found === undefined ? [] : [found];
}
