/**
 * The colours that people have chosen for their avatars, as the server has told them. What it told last counts, also of
 * those who have gone since.
 */
import { SvelteMap } from 'svelte/reactivity';
import { fold, type Event } from 'hubbub-client';

export interface Coloured {
  user: string;
  color?: string;
}

const VALID = /^#[\da-f]{6}$/i;

export class Colours {
  /** By folded key; empty for who has chosen none. */
  readonly #told = new SvelteMap<string, string>();

  of(user: string): string | undefined {
    return this.#told.get(fold(user)) || undefined;
  }

  isTold(user: string): boolean {
    return this.#told.has(fold(user));
  }

  tell(people: readonly Coloured[]): void {
    for (const { user, color = '' } of people) this.#told.set(fold(user), VALID.test(color) ? color : '');
  }

  /** The other events tell nothing of colours. */
  hear(event: Event): void {
    if (event.type === 'welcome' || event.type === 'join') this.tell([event]);
    if (event.type === 'joined') {
      const { messages = [], colors = {}, members = [] } = event;
      this.tell(messages.map(({ user }) => ({ user, color: colors[user] })));
      this.tell(members);
    }
    if (event.type === 'joined' || event.type === 'sync') this.tell(event.users);
  }
}
