import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { Client, type Event, type Joined } from 'hubbub-client';
import { HandClock, welcome, Wires } from './world.js';

interface GoldenFrame {
  name: string;
  frame: Event;
}

const GOLDEN = new URL('../../../conformance/v1/events.json', import.meta.url);
const frames = JSON.parse(await readFile(GOLDEN, 'utf8')) as GoldenFrame[];

const joined: Joined = {
  type: 'joined',
  room: 'room1',
  name: 'room1',
  online: 0,
  users: [],
  epoch: '5f0c',
  recovered: false,
};

/** These events answer a command or belong to the connection; the others are passed on. */
const KEPT = new Set<Event['type']>(['ack', 'history']);

it.each(frames)('understands the golden event "$name"', ({ frame }) => {
  const wires = new Wires();
  const events: Event[] = [];
  const client = new Client({
    address: () => 'ws://host/ws',
    network: wires,
    clock: new HandClock(),
    onState: () => {},
    onEvent: (event) => events.push(event),
  });
  client.join('room1');
  client.connection.open();
  if (frame.type !== 'welcome') wires.last.arrives(welcome);
  if (frame.type === 'joined' || frame.type === 'sync') wires.last.arrives({ ...joined, rev: frame.since });
  wires.last.arrives(frame);
  expect(events.some((event) => event.type === frame.type)).toBe(!KEPT.has(frame.type));
});
