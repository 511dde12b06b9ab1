/** Which message the user points at, and what the user is about to do with it. */
import type { Stored } from './lines';

export class Chosen {
  /** The line's id. */
  id = $state<string | null>(null);
  reacting = $state.raw<Stored | null>(null);
  deleting = $state.raw<Stored | null>(null);
}
