import { expect, it } from 'vitest';
import { Client, CommandRefused, ConnectionLost, type Probe } from 'hubbub-client';
import { HandClock, Wires } from './world';

function clientOn(address: string, answer: Partial<Probe>) {
  const network = new Wires();
  network.probed = () => Promise.resolve({ status: 200, failure: null, retryAfter: null, ...answer });
  const options = { address: () => address, network, clock: new HandClock(), onState: () => {}, onEvent: () => {} };
  return { client: new Client(options), network };
}

it.each([
  ['wss://chat.example.com/ws?username=alice', 'wss://chat.example.com/api/v1/rooms?q=gen&limit=20'],
  ['ws://127.0.0.1:8000/chat/ws', 'ws://127.0.0.1:8000/chat/api/v1/rooms?q=gen&limit=20'],
  ['ws://127.0.0.1:8000/chat/ws/chat/general', 'ws://127.0.0.1:8000/chat/api/v1/rooms?q=gen&limit=20'],
])('asks for rooms beside the socket at %s', async (address, asked) => {
  const page = { rooms: [{ room: 'general', name: 'general', online: 3 }], next: 'general' };
  const { client, network } = clientOn(address, { body: page });

  expect(await client.rooms({ q: 'gen', after: undefined, limit: 20 })).toEqual(page);
  expect(network.probes.map(({ address }) => address)).toEqual([asked]);
});

it('asks for the people of a room', async () => {
  const page = { room: 'a|b', online: 1, users: [{ user: 'alice', name: 'Alice' }] };
  const { client, network } = clientOn('ws://127.0.0.1:8000/ws', { body: page });

  expect(await client.online('a|b')).toEqual(page);
  expect(network.probes[0]?.address).toBe('ws://127.0.0.1:8000/api/v1/rooms/a%7Cb/online');
});

it('says why the server refuses, and after how long it may accept', async () => {
  const failure = { code: 'rate_limited', message: 'too many requests' };
  const { client } = clientOn('ws://127.0.0.1:8000/ws', { status: 429, failure, retryAfter: 2000 });

  const refused: unknown = await client.rooms().catch((error: unknown) => error);

  expect(refused).toBeInstanceOf(CommandRefused);
  expect(refused).toMatchObject({ failure, retryAfter: 2000 });
});

it('says that there is no server', async () => {
  const { client, network } = clientOn('ws://127.0.0.1:8000/ws', {});
  network.probed = () => Promise.reject(new Error('unreachable'));

  await expect(client.rooms()).rejects.toBeInstanceOf(ConnectionLost);
});

it('is not found on a server of an earlier version, whatever is around that server', async () => {
  const failure = { code: 'forbidden', message: 'Not Found' };
  const { client } = clientOn('ws://127.0.0.1:8000/ws', { status: 404, failure });

  await expect(client.rooms()).rejects.toMatchObject({ failure: { code: 'not_found' } });
});
