import { readdir, readFile } from 'node:fs/promises';
import { Backoff, Client, type Event, type HistoryPage } from 'hubbub-client';
import { expect, it } from 'vitest';
import { HandClock, Wires } from '../../clients/typescript/tests/world';
import { isStored, type Line } from '../src/models/lines';
import { Room, type RoomEvent } from '../src/models/room.svelte';

interface GoldenTimeline {
  name: string;
  /** In the order of arrival; each `welcome` begins a new connection. */
  events: Event[];
  joins: object[];
  position: { rev?: number; epoch: string };
  messages: object[];
}

const FOLDER = new URL('../../conformance/v1/timelines/', import.meta.url);
const files = await readdir(FOLDER);
const timelines = await Promise.all(
  files.map(async (file) => JSON.parse(await readFile(new URL(file, FOLDER), 'utf8')) as GoldenTimeline),
);

const OF_THE_CONNECTION = new Set(['welcome', 'error']);

/** One tab that is in room1. */
class Tab {
  readonly #wires = new Wires();
  readonly #clock = new HandClock();
  readonly room: Room;
  readonly #client = new Client({
    address: () => 'ws://host/ws',
    network: this.#wires,
    clock: this.#clock,
    backoff: new Backoff({ random: () => 0 }),
    onState: () => {},
    onEvent: (event) => {
      if (!OF_THE_CONNECTION.has(event.type)) this.room.apply(event as RoomEvent);
    },
  });

  constructor() {
    this.room = new Room('room1', {
      clock: this.#clock,
      client: this.#client,
      me: () => ({ user: 'alice', name: 'Alice' }),
      newKey: () => 'key-0001',
      tell: () => {},
    });
    this.#client.join('room1');
  }

  async receive(event: Event): Promise<void> {
    if (event.type === 'welcome') this.#connect();
    if (event.type === 'history') await this.#page(event);
    else this.#wires.last.arrives(event);
  }

  joins(): unknown[] {
    const commands = this.#wires.opened.flatMap(({ sent }) => sent);
    return commands.filter(({ type }) => type === 'join').flatMap(({ rooms }) => rooms);
  }

  #connect(): void {
    if (this.#wires.opened.length > 0) this.#wires.last.breaks();
    this.#clock.pass(0);
    this.#client.connection.open();
  }

  async #page(event: HistoryPage): Promise<void> {
    const { timeline } = this.room;
    const answer = this.#client.history('room1', {});
    this.#wires.last.arrives({ ...event, id: String(this.#wires.last.sent.at(-1)?.['id']) });
    const { messages, more } = await answer;
    if ((messages[0]?.seq ?? 0) < timeline.from) timeline.prepend(messages, more);
    else timeline.append(messages, more);
  }
}

/** The parts that a golden message names; `edited` and `deleted` as marks, which is all that the page shows. */
function marks(message: object): object {
  const { seq, rev, text, edited, deleted, pinned, reactions } = message as Record<string, unknown>;
  const isThere = (value: unknown) => value !== undefined && value !== false;
  return {
    seq,
    rev,
    text,
    edited: isThere(edited),
    deleted: isThere(deleted),
    pinned: isThere(pinned),
    reactions: reactions ?? [],
  };
}

/** In a room that stores nothing, old messages stay above a mark; the current ones are below it. */
function sinceMissed(lines: readonly Line[]): readonly Line[] {
  return lines.slice(lines.findLastIndex(({ kind }) => kind === 'missed') + 1);
}

it.each(timelines)('agrees that $name', async ({ events, joins, position, messages }) => {
  const tab = new Tab();
  for (const event of events) await tab.receive(event);
  const shown = sinceMissed(tab.room.timeline.lines).filter((line) => line.kind === 'said');
  expect(shown.map(marks)).toEqual(messages.map(marks));
  expect(shown.every((line) => isStored(line) || position.rev === undefined)).toBe(true);
  expect(tab.joins()).toEqual(joins);
  const welcome = events.find(({ type }) => type === 'welcome');
  if (welcome !== undefined) await tab.receive(welcome);
  const where = position.rev === undefined ? { room: 'room1' } : { room: 'room1', ...position };
  expect(tab.joins().at(-1)).toEqual(where);
});
