import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { Client, type Codec, type Command, type Event, type Joined, json } from 'hubbub-client';
import { msgpack } from 'hubbub-client/msgpack';
import { HandClock, welcome, Wires } from './world.js';

interface Golden<Frame> {
  name: string;
  frame: Frame;
  /** The frame as MessagePack, in hexadecimal digits. */
  msgpack: string;
}

const FOLDER = new URL('../../../conformance/v1/', import.meta.url);

async function golden<Frame>(file: string): Promise<Golden<Frame>[]> {
  return JSON.parse(await readFile(new URL(file, FOLDER), 'utf8')) as Golden<Frame>[];
}

const commands = await golden<Command>('commands.json');
const events = await golden<Event>('events.json');

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

function bytes(digits: string): ArrayBuffer {
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16)).buffer;
}

describe.each<[string, Codec]>([
  ['JSON', json],
  ['MessagePack', msgpack],
])('in %s', (_, codec) => {
  it.each(events)('understands the golden event "$name"', ({ frame, msgpack: digits }) => {
    const wires = new Wires(codec);
    const heard: Event[] = [];
    const client = new Client({
      address: () => 'ws://host/ws',
      codec,
      network: wires,
      clock: new HandClock(),
      onState: () => {},
      onEvent: (event) => heard.push(event),
    });
    client.join('room1');
    client.connection.open();
    if (frame.type !== 'welcome') wires.last.arrives(welcome);
    if (frame.type === 'joined' || frame.type === 'sync') wires.last.arrives({ ...joined, rev: frame.since });
    wires.last.arrivesAs(codec === json ? JSON.stringify(frame) : bytes(digits));
    if (KEPT.has(frame.type)) expect(heard.some(({ type }) => type === frame.type)).toBe(false);
    else expect(heard.at(-1)).toEqual(frame);
  });
});

it.each(commands)('writes the golden command "$name" in MessagePack', ({ frame, msgpack: digits }) => {
  expect(msgpack.encode(frame)).toEqual(bytes(digits));
});

it('leaves fields without a value out, in MessagePack as in JSON', () => {
  const command = { type: 'message', room: 'room1', text: 'Hello', reply_to: undefined } as const;
  expect(msgpack.decode(msgpack.encode(command) as ArrayBuffer)).toEqual(JSON.parse(JSON.stringify(command)));
});

it.each([
  ['MessagePack', json, new ArrayBuffer(1)],
  ['text', msgpack, '{}'],
])('ignores %s where the other codec was chosen', (_, codec, frame) => {
  const wires = new Wires(codec);
  const client = new Client({ address: 'ws://host/ws', codec, network: wires, onEvent: () => expect.unreachable() });
  client.connection.open();
  wires.last.arrivesAs(frame);
  expect(wires.last.subprotocols).toEqual([codec.subprotocol]);
  client.connection.close();
});
