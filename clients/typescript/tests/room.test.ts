import { readdir, readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { Backoff, Client, type Event, type HistoryPage, type Joined, type MessageEvent, RoomView } from 'hubbub-client';
import { HandClock, welcome, Wires } from './world.js';

interface GoldenTimeline {
  name: string;
  /** In the order of arrival; each `welcome` begins a new connection. */
  events: Event[];
  joins: object[];
  messages: MessageEvent[];
}

const FOLDER = new URL('../../../conformance/v1/timelines/', import.meta.url);
const files = await readdir(FOLDER);
const timelines = await Promise.all(
  files.map(async (file) => JSON.parse(await readFile(new URL(file, FOLDER), 'utf8')) as GoldenTimeline),
);

it.each(timelines)('agrees that $name', async ({ events, joins, messages }) => {
  const wires = new Wires();
  const clock = new HandClock();
  const view = new RoomView('room1');
  const client = new Client({
    address: 'ws://host/ws',
    network: wires,
    clock,
    backoff: new Backoff({ random: () => 0 }),
    onEvent: (event) => view.apply(event),
  });
  const load = async (page: HistoryPage) => {
    const answer = client.history('room1', {});
    wires.last.arrives({ ...page, id: String(wires.last.sent.at(-1)?.['id']) });
    view.page(await answer);
  };
  client.join('room1');
  for (const event of events) {
    if (event.type === 'welcome') {
      if (wires.opened.length > 0) wires.last.breaks();
      clock.pass(0);
      void client.open();
    }
    if (event.type === 'history') await load(event);
    else wires.last.arrives(event);
  }
  const shown = ({ seq, rev, text, edited, deleted, pinned, reactions }: MessageEvent) =>
    JSON.stringify({ seq, rev, text, edited, deleted, pinned, reactions });
  expect(view.messages.map(shown)).toEqual(messages.map(shown));
  const sent = wires.opened.flatMap((wire) => wire.sent).filter(({ type }) => type === 'join');
  expect(sent.flatMap(({ rooms }) => rooms)).toEqual(joins);
});

const message = (seq: number): MessageEvent => ({
  type: 'message',
  room: 'general',
  seq,
  rev: seq,
  user: 'bob',
  name: 'Bob',
  text: `no ${seq}`,
  ts: welcome.ts,
});

const joined: Joined = {
  type: 'joined',
  room: 'General',
  name: 'General',
  online: 2,
  users: [
    { user: 'alice', name: 'Alice' },
    { user: 'bob', name: 'Bob' },
  ],
  epoch: 'e1',
  seq: 8,
  rev: 8,
  floor: 0,
  messages: [message(7), message(8)],
  recovered: false,
};

const seqs = ({ messages }: RoomView) => messages.map(({ seq }) => seq);
const page = (...numbers: number[]): HistoryPage => ({
  type: 'history',
  room: 'general',
  rev: 8,
  users: [],
  messages: numbers.map(message),
  more: true,
});

describe('messages', () => {
  it('adds a page only where no message is missing', () => {
    const view = new RoomView('general');
    view.apply(joined);
    view.page(page(2, 3));
    expect(seqs(view)).toEqual([7, 8]);
    view.page(page(5, 6, 7, 8, 9));
    expect(seqs(view)).toEqual([5, 6, 7, 8]);
    expect(view.hasEarlier).toBe(true);
  });

  it('forgets the oldest of too many, and those that the server no longer stores', () => {
    const view = new RoomView('general', 3);
    view.apply(joined);
    for (const seq of [9, 10]) view.apply(message(seq));
    expect(seqs(view)).toEqual([8, 9, 10]);
    view.apply({ type: 'room', room: 'general', rev: 11, floor: 9 });
    expect(seqs(view)).toEqual([10]);
    expect(view.hasEarlier).toBe(false);
  });

  it('knows nothing of other rooms', () => {
    const view = new RoomView('general');
    expect(view.apply({ ...joined, room: 'quiet' })).toBe(false);
    expect(view.messages).toEqual([]);
  });
});

describe('people', () => {
  const names = ({ people }: RoomView) => people.map(({ name }) => name);

  it('come and go', () => {
    const view = new RoomView('general');
    view.apply(joined);
    expect(view.apply({ type: 'join', room: 'general', user: 'carol', name: 'Carol', online: 3 })).toBe(true);
    expect(view.apply({ type: 'leave', room: 'general', user: 'bob', name: 'Bob', online: 2 })).toBe(true);
    expect(names(view)).toEqual(['Alice', 'Carol']);
    expect(view.online).toBe(2);
  });

  it('stay the same after a join of somebody listed and a leave of somebody not listed', () => {
    const view = new RoomView('general');
    view.apply(joined);
    expect(view.apply({ type: 'join', room: 'general', user: 'Bob', name: 'Bob', online: 2 })).toBe(false);
    expect(view.apply({ type: 'leave', room: 'general', user: 'carol', name: 'Carol', online: 2 })).toBe(false);
    expect(names(view)).toEqual(['Alice', 'Bob']);
    expect(view.online).toBe(2);
  });
});
