import { readFile } from 'node:fs/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import { Backoff, Connection, type Event, type State } from 'hubbub-client';
import { HandClock, welcome, Wires } from './world.js';

interface Closes {
  'x-close-codes': Record<string, { reconnect: boolean; afterAWhile: boolean }>;
}

const SCHEMA = new URL('../../../conformance/schema.json', import.meta.url);
const { 'x-close-codes': closes } = JSON.parse(await readFile(SCHEMA, 'utf8')) as Closes;

let clock: HandClock;
let wires: Wires;
let states: State[];
let events: Event[];
let connection: Connection;

const names = () => states.map(({ name }) => name);
const settled = () => new Promise((resolve) => setImmediate(resolve));

beforeEach(() => {
  clock = new HandClock();
  wires = new Wires();
  states = [];
  events = [];
  connection = new Connection({
    address: () => 'ws://host/ws',
    network: wires,
    clock,
    backoff: new Backoff({ random: () => 0.5 }),
    onState: (state) => states.push(state),
    onEvent: (event) => events.push(event),
  });
});

function goLive(): void {
  connection.open();
  wires.last.arrives(welcome);
}

describe('opening', () => {
  it('is live after the welcome', () => {
    goLive();
    expect(names()).toEqual(['connecting', 'live']);
    expect(events).toEqual([welcome]);
  });

  it('gives up on a server that accepts but sends nothing', () => {
    connection.open();
    clock.pass(10_000);
    expect(names()).toEqual(['connecting', 'waiting']);
    expect(wires.last.closedWith).toBe(4408);
  });

  it('reports a refusal with the reason that a GET gives', async () => {
    const failure = { code: 'conflict', message: 'alice is taken' } as const;
    wires.probed = () => Promise.resolve({ status: 409, failure, retryAfter: null });
    connection.open();
    wires.last.breaks();
    await settled();
    expect(states.at(-1)).toEqual({ name: 'refused', failure });
    clock.pass(60_000);
    expect(wires.opened).toHaveLength(1);
  });

  it('waits at least as long as a busy server asks', async () => {
    wires.probed = () => Promise.resolve({ status: 503, failure: null, retryAfter: 7_000 });
    connection.open();
    wires.last.breaks();
    await settled();
    expect(states.at(-1)).toEqual({
      name: 'waiting',
      until: clock.now() + 7_250,
    });
  });

  it('tries again when the server cannot be reached at all', async () => {
    connection.open();
    wires.last.breaks();
    await settled();
    expect(names()).toEqual(['connecting', 'waiting']);
    clock.pass(250);
    expect(wires.opened).toHaveLength(2);
  });

  it('asks for the reason once if a failed handshake is an error, a close or both', async () => {
    connection.open();
    wires.last.onerror?.();
    wires.last.breaks();
    await settled();
    expect(wires.probes).toHaveLength(1);
    expect(names()).toEqual(['connecting', 'waiting']);
  });

  it('puts no secret into an address, and asks for the reason with the refused secret', async () => {
    let secret = 'id.mac.Ann|e@home';
    connection = new Connection({
      address: () => 'ws://host/ws',
      secret: () => secret,
      network: wires,
      clock,
      onState: () => {},
      onEvent: () => {},
    });
    connection.open();
    expect(wires.last.address).toBe('ws://host/ws');
    expect(wires.last.subprotocols).toEqual(['hubbub.v1.json', 'secret.aWQubWFjLkFubnxlQGhvbWU']);
    secret = 'another';
    wires.last.breaks();
    await settled();
    const headers = { 'Hubbub-Secret': 'aWQubWFjLkFubnxlQGhvbWU' };
    expect(wires.probes).toEqual([{ address: 'ws://host/ws', headers }]);
  });

  it('goes on after a foreign answer if it was admitted before', async () => {
    wires.probed = () => Promise.resolve({ status: 404, failure: null, retryAfter: null });
    goLive();
    wires.last.breaks();
    clock.pass(250);
    wires.last.breaks();
    await settled();
    expect(names().at(-1)).toBe('waiting');
  });

  it('ends after a foreign answer if it was never admitted', async () => {
    wires.probed = () => Promise.resolve({ status: 404, failure: null, retryAfter: null });
    connection.open();
    wires.last.breaks();
    await settled();
    expect(states.at(-1)).toMatchObject({ name: 'refused', failure: { code: 'forbidden' } });
  });

  it('ignores a late reason after it was closed', async () => {
    connection.open();
    wires.last.breaks();
    connection.close();
    await settled();
    expect(names()).toEqual(['connecting', 'closed']);
  });
});

describe('losing the connection', () => {
  it('reconnects by itself, waiting longer each time', async () => {
    goLive();
    wires.last.breaks();
    expect(states.at(-1)).toEqual({
      name: 'waiting',
      until: clock.now() + 250,
    });
    clock.pass(250);
    wires.last.breaks();
    await settled();
    expect(states.at(-1)).toEqual({
      name: 'waiting',
      until: clock.now() + 500,
    });
  });

  it('returns to short waits only after a connection that lasted', () => {
    goLive();
    wires.last.breaks();
    clock.pass(250);
    wires.last.arrives(welcome);
    clock.pass(5_000);
    wires.last.breaks();
    expect(states.at(-1)).toEqual({
      name: 'waiting',
      until: clock.now() + 250,
    });
  });

  it('notices a server that is silent for two heartbeats', () => {
    goLive();
    const first = wires.last;
    clock.pass(49_999);
    expect(names().at(-1)).toBe('live');
    clock.pass(1);
    expect(names().at(-1)).toBe('waiting');
    expect(first.closedWith).toBe(4408);
  });

  it('counts any frame as a sign of life', () => {
    goLive();
    clock.pass(40_000);
    wires.last.arrives({ type: 'ping', ts: welcome.ts });
    clock.pass(49_999);
    expect(names().at(-1)).toBe('live');
  });

  it('reconnects when a draining server said', () => {
    goLive();
    wires.last.arrives({ type: 'draining', reconnect_in: 4_000 });
    clock.pass(1_000);
    wires.last.breaks(1012);
    expect(states.at(-1)).toEqual({
      name: 'waiting',
      until: clock.now() + 3_000,
    });
  });

  it.each(Object.entries(closes))('follows the protocol after close code %s', (code, { reconnect, afterAWhile }) => {
    goLive();
    const now = clock.now();
    wires.last.breaks(Number(code), 'the reason');
    const waiting = { name: 'waiting', until: now + (afterAWhile ? 7_500 : 250) };
    const refused = { name: 'refused', failure: { message: 'the reason' } };
    expect(states.at(-1)).toMatchObject(reconnect ? waiting : refused);
  });

  it('waits longer after each 1008, however long the connection lasted', () => {
    const waits = [1, 2, 3].map(() => {
      connection.open();
      wires.last.arrives(welcome);
      clock.pass(40_000);
      wires.last.breaks(1008);
      const { state } = connection;
      return state.name === 'waiting' ? state.until - clock.now() : null;
    });
    expect(waits).toEqual([7_500, 10_000, 15_000]);
  });

  it('keeps nothing that it cannot send', () => {
    goLive();
    wires.last.breaks();
    expect(connection.send({ type: 'ping' })).toBe(false);
  });
});

describe('closing', () => {
  it('is final, even when called by a listener', () => {
    connection = new Connection({
      address: () => 'ws://host/ws',
      network: wires,
      clock,
      onState: ({ name }) => {
        if (name === 'waiting') connection.close();
      },
      onEvent: () => {},
    });
    goLive();
    wires.last.breaks();
    clock.pass(60_000);
    expect(connection.state.name).toBe('closed');
    expect(wires.opened).toHaveLength(1);
  });
});

describe('the device', () => {
  it('stops trying without a network, and connects at once when it is back', () => {
    goLive();
    connection.networkDown();
    clock.pass(60_000);
    expect(wires.opened).toHaveLength(1);
    connection.networkUp();
    expect(wires.opened).toHaveLength(2);
    expect(names()).toEqual(['connecting', 'live', 'offline', 'connecting']);
  });

  it('ends a wait when the network comes back', () => {
    goLive();
    wires.last.breaks();
    connection.networkUp();
    clock.pass(10_000);
    expect(wires.opened).toHaveLength(2);
  });

  it('tries again at once when the network came back during an attempt that fails', async () => {
    connection.open();
    connection.networkUp();
    wires.probed = () => Promise.reject(new Error('no network'));
    wires.last.breaks();
    await settled();
    clock.pass(0);
    expect(names()).toEqual(['connecting', 'waiting', 'connecting']);
  });

  it('waits as usual for a connection that ends long after such an attempt', () => {
    connection.open();
    connection.networkUp();
    wires.last.arrives(welcome);
    wires.last.breaks();
    clock.pass(0);
    expect(names()).toEqual(['connecting', 'live', 'waiting']);
  });
});
