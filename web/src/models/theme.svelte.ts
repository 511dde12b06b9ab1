/** Light, dark, or the device's choice. */
import type { Remembered } from './storage';

const CHOICES = ['system', 'light', 'dark'] as const;

export type ThemeChoice = (typeof CHOICES)[number];

export class Theme {
  readonly #remembered: Remembered;
  #choice = $state<ThemeChoice>('system');

  constructor(remembered: Remembered) {
    this.#remembered = remembered;
    this.#choice = CHOICES.find((choice) => choice === remembered.theme) ?? 'system';
  }

  get choice(): ThemeChoice {
    return this.#choice;
  }

  next(): void {
    this.#choice = CHOICES[(CHOICES.indexOf(this.#choice) + 1) % CHOICES.length] ?? 'system';
    this.#remembered.theme = this.#choice;
  }
}
