/** The dialog that is open over the page, to make a room or to care for one and its people. */
import type { Removed } from 'hubbub-client';
import type { Stored } from './lines';
import type { Person } from './names.svelte';
import type { Room } from './room.svelte';

export type Opening =
  | { kind: 'newRoom' }
  | { kind: 'blocked' }
  | { kind: 'about' | 'invite' | 'leave' | 'reports'; room: Room }
  | { kind: 'person'; room: Room; person: Person }
  | { kind: 'report'; room: Room; message: Stored }
  /** The user is no longer in a room, and had written something there. */
  | { kind: 'removed'; name: string; reason: Removed['reason']; unsent: readonly string[] };

export class Opened {
  dialog = $state.raw<Opening | null>(null);

  open(dialog: Opening): void {
    this.dialog = dialog;
  }

  close(): void {
    this.dialog = null;
  }
}
