import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Backoff, Client, CommandRefused, ConnectionLost, type Event, type Joined } from 'hubbub-client';
import { HandClock, welcome, Wires } from './world.js';

let clock: HandClock;
let wires: Wires;
let events: Event[];
let client: Client;

beforeEach(() => {
  clock = new HandClock();
  wires = new Wires();
  events = [];
  client = new Client({
    address: () => 'ws://host/ws',
    network: wires,
    clock,
    backoff: new Backoff({ random: () => 0 }),
    onState: () => {},
    onEvent: (event) => events.push(event),
  });
  client.connection.open();
});

const joined: Joined = {
  type: 'joined',
  room: 'general',
  name: 'general',
  online: 1,
  users: [{ user: 'alice', name: 'alice' }],
  epoch: 'e1',
  recovered: false,
};

function message(text: string, rev?: number): Event {
  const numbers = rev === undefined ? {} : { seq: rev, rev };
  return {
    type: 'message',
    room: 'general',
    user: 'bob',
    name: 'bob',
    text,
    ts: welcome.ts,
    ...numbers,
  };
}

const texts = () => events.flatMap((event) => (event.type === 'message' ? [event.text] : []));

function reconnect(): void {
  wires.last.breaks();
  clock.pass(0);
  wires.last.arrives(welcome);
}

describe('joining', () => {
  it('waits for the connection', () => {
    client.join('general');
    expect(wires.last.sent).toEqual([]);
    wires.last.arrives(welcome);
    expect(wires.last.sent).toEqual([{ type: 'join', id: 'join-2', rooms: [{ room: 'general' }] }]);
  });

  it('joins every room again after a reconnect, from where each one was', () => {
    wires.last.arrives(welcome);
    client.join('general');
    client.join('quiet');
    wires.last.arrives({ ...joined, rev: 7 });
    reconnect();
    expect(wires.last.sent).toEqual([
      {
        type: 'join',
        id: 'join-3',
        rooms: [{ room: 'general', rev: 7, epoch: 'e1' }, { room: 'quiet' }],
      },
    ]);
  });

  it('treats two spellings of a key as one room', () => {
    wires.last.arrives(welcome);
    client.join('General');
    client.join('general');
    wires.last.arrives(joined);
    expect(wires.last.sent).toHaveLength(1);
    expect(events.at(-1)).toEqual(joined);
  });

  it('does not ask again for a room that it may not enter', () => {
    wires.last.arrives(welcome);
    client.join('secret');
    const refusal: Event = {
      type: 'error',
      id: 'join-1',
      command: 'join',
      room: 'secret',
      code: 'forbidden',
      message: 'not yours',
    };
    wires.last.arrives(refusal);
    expect(events.at(-1)).toEqual(refusal);
    reconnect();
    expect(wires.last.sent).toEqual([]);
  });

  it('tries again when the room cannot be read at the moment', () => {
    wires.last.arrives(welcome);
    client.join('general');
    const later = { code: 'unavailable', message: 'not now', retry_after: 700 } as const;
    wires.last.arrives({ type: 'error', id: 'join-1', command: 'join', room: 'general', ...later });
    clock.pass(699);
    expect(wires.last.sent).toHaveLength(1);
    clock.pass(1);
    expect(wires.last.sent).toHaveLength(2);
  });

  const joins = () => wires.last.sent.filter(({ type }) => type === 'join') as { id: string; rooms: object[] }[];

  it('asks for no more rooms at once than the protocol allows', () => {
    for (let number = 0; number < 205; number += 1) client.join(`room-${number}`);
    wires.last.arrives(welcome);
    expect(joins().map(({ rooms }) => rooms.length)).toEqual([100, 100, 5]);
  });

  it('asks again for all rooms of a join that came too fast', () => {
    client.join('general');
    client.join('quiet');
    wires.last.arrives(welcome);
    const id = joins()[0]?.id;
    wires.last.arrives({ type: 'error', id, command: 'join', code: 'rate_limited', message: 'slow', retry_after: 70 });
    expect(events).toEqual([welcome]);
    clock.pass(70);
    expect(joins().map(({ rooms }) => rooms)).toEqual([
      [{ room: 'general' }, { room: 'quiet' }],
      [{ room: 'general' }, { room: 'quiet' }],
    ]);
  });

  it('gives up a join that the server calls invalid, and the messages for its rooms', () => {
    const failed: string[] = [];
    client.connection.close();
    const options = { address: () => 'ws://host/ws', network: wires, clock, onState: () => {} };
    const onEvent = (event: Event) => events.push(event);
    client = new Client({ ...options, onEvent, onFailed: ({ key }, { code }) => failed.push(`${key} ${code}`) });
    client.connection.open();
    for (const room of ['general', 'quiet']) {
      client.join(room);
      client.outbox.add({ room, key: `key-${room}`, text: 'hello' });
    }
    wires.last.arrives(welcome);
    const refusal = { type: 'error', id: joins()[0]?.id, command: 'join', code: 'invalid', message: 'no' } as const;
    wires.last.arrives(refusal);
    expect(failed).toEqual(['key-general invalid', 'key-quiet invalid']);
    expect(events.slice(1)).toEqual(['general', 'quiet'].map((room) => ({ ...refusal, room })));
    clock.pass(40_000);
    expect(joins()).toHaveLength(1);
  });

  it('does not ask again for one room more than the server allows, and sends nothing there', () => {
    wires.last.arrives(welcome);
    client.join('one-too-many');
    const refusal = { type: 'error', id: 'join-1', command: 'join', room: 'one-too-many', message: 'full' } as const;
    wires.last.arrives({ ...refusal, code: 'too_large' });
    clock.pass(40_000);
    expect(joins()).toHaveLength(1);
    expect(client.follows('one-too-many')).toBe(false);
    expect(events.at(-1)).toMatchObject({ code: 'too_large', room: 'one-too-many' });
  });

  it('drops events of a room that it has left', () => {
    wires.last.arrives(welcome);
    client.join('general');
    client.leave('general');
    wires.last.arrives(message('too late'));
    expect(texts()).toEqual([]);
  });
});

describe('order', () => {
  beforeEach(() => {
    wires.last.arrives(welcome);
    client.join('general');
  });

  it('passes everything on in rooms that store nothing', () => {
    wires.last.arrives(joined);
    wires.last.arrives(message('one'));
    wires.last.arrives(message('two'));
    expect(texts()).toEqual(['one', 'two']);
  });

  it('drops duplicates, and joins from its position when there is a gap', () => {
    wires.last.arrives({ ...joined, rev: 7 });
    wires.last.arrives(message('eight', 8));
    wires.last.arrives(message('eight again', 8));
    wires.last.arrives(message('ten', 10));
    expect(texts()).toEqual(['eight']);
    expect(wires.last.sent.at(-1)).toMatchObject({
      type: 'join',
      rooms: [{ room: 'general', rev: 8, epoch: 'e1' }],
    });
    wires.last.arrives(message('eleven, too early', 11));
    expect(wires.last.sent).toHaveLength(2);
    wires.last.arrives({ ...joined, recovered: true, since: 8, rev: 10 });
    wires.last.arrives(message('eleven', 11));
    expect(texts()).toEqual(['eight', 'eleven']);
  });
});

describe('catching up', () => {
  const sync: Event = { type: 'sync', room: 'general', since: 7, rev: 9, floor: 0, users: [], messages: [] };

  beforeEach(() => {
    wires.last.arrives(welcome);
    client.join('general');
    wires.last.arrives({ ...joined, rev: 7 });
  });

  it('follows a sync that begins where it is', () => {
    wires.last.arrives(sync);
    wires.last.arrives(message('nine again', 9));
    wires.last.arrives(message('ten', 10));
    expect(events).toContainEqual(sync);
    expect(texts()).toEqual(['ten']);
  });

  it('joins again when a sync begins too late', () => {
    wires.last.arrives({ ...sync, since: 8 });
    expect(events).not.toContainEqual({ ...sync, since: 8 });
    expect(wires.last.sent.at(-1)).toMatchObject({ rooms: [{ room: 'general', rev: 7 }] });
  });

  it('counts changes as well as messages', () => {
    const changed: Event = { type: 'changed', room: 'general', seq: 3, rev: 8, user: 'bob', pinned: true };
    wires.last.arrives(changed);
    wires.last.arrives({ type: 'room', room: 'general', rev: 9, floor: 2 });
    wires.last.arrives(message('ten', 10));
    expect(events).toContainEqual(changed);
    expect(texts()).toEqual(['ten']);
  });
});

describe('sending', () => {
  const hello = { room: 'general', key: 'key-0001', text: 'hello' };

  it('waits until the room is joined, and uses the key', () => {
    client.outbox.add(hello);
    client.join('general');
    wires.last.arrives(welcome);
    expect(wires.last.sent.at(-1)).toMatchObject({ type: 'join' });
    wires.last.arrives({ ...joined, rev: 7 });
    expect(wires.last.sent.at(-1)).toEqual({ type: 'message', ...hello, id: '1' });
  });

  it('sends again under the same key if the connection ended before the answer', async () => {
    wires.last.arrives(welcome);
    client.join('general');
    wires.last.arrives({ ...joined, rev: 7 });
    client.outbox.add(hello);
    reconnect();
    await Promise.resolve();
    wires.last.arrives({ ...joined, rev: 8, since: 7, recovered: true });
    await vi.waitFor(() => expect(wires.last.sent.at(-1)).toMatchObject({ type: 'message', ...hello }));
  });
});

describe('asking', () => {
  beforeEach(() => wires.last.arrives(welcome));

  it('resolves with the answer that carries its id', async () => {
    const edited = client.edit('general', 3, 'better');
    const page = client.history('general', { before: 3, limit: 20 });
    expect(wires.last.sent).toEqual([
      { type: 'edit', room: 'general', seq: 3, text: 'better', id: '1' },
      { type: 'history', room: 'general', before: 3, limit: 20, id: '2' },
    ]);
    const answer: Event = { type: 'history', id: '2', room: 'general', rev: 9, users: [], messages: [], more: false };
    wires.last.arrives(answer);
    wires.last.arrives({ type: 'ack', id: '1', rev: 9 });
    expect(await page).toEqual(answer);
    expect(await edited).toMatchObject({ rev: 9 });
  });

  it('rejects with the reason, and reports it only there', async () => {
    const answer = client.delete('general', 3);
    wires.last.arrives({ type: 'error', id: '1', code: 'unavailable', message: 'not now', retry_after: 800 });
    const error = await answer.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(CommandRefused);
    expect(error).toMatchObject({ failure: { code: 'unavailable' }, retryAfter: 800 });
    expect(events).toEqual([welcome]);
  });

  it('waits and repeats when it was too fast', async () => {
    const answer = client.edit('general', 3, 'better');
    wires.last.arrives({ type: 'error', id: '1', code: 'rate_limited', message: 'too fast', retry_after: 800 });
    await vi.waitFor(() => {
      clock.pass(800);
      expect(wires.last.sent).toHaveLength(2);
    });
    wires.last.arrives({ type: 'ack', id: '2', rev: 9 });
    expect(await answer).toMatchObject({ rev: 9 });
  });

  it('rejects instead of waiting for a minute', async () => {
    const answer = client.edit('general', 3, 'better');
    wires.last.arrives({ type: 'error', id: '1', code: 'rate_limited', message: 'later', retry_after: 60_000 });
    await expect(answer).rejects.toMatchObject({ failure: { code: 'rate_limited' } });
  });

  it('rejects when the connection ends before the answer', async () => {
    const answer = client.react('general', 3, '👍', true);
    wires.last.breaks();
    await expect(answer).rejects.toBeInstanceOf(ConnectionLost);
  });

  it('rejects at once without a connection', async () => {
    wires.last.breaks();
    await expect(client.pin('general', 3, true)).rejects.toBeInstanceOf(ConnectionLost);
  });
});

describe('opening', () => {
  const refused = { status: 409, failure: { code: 'conflict', message: 'alice is in use' }, retryAfter: null } as const;

  it('resolves with the connection, also when it comes late', async () => {
    const opened = client.open();
    wires.last.breaks();
    await vi.waitFor(() => expect(client.state.name).toBe('waiting'));
    clock.pass(0);
    wires.last.arrives(welcome);
    await opened;
    await client.open();
    expect(client.user).toBe('alice');
  });

  it('rejects with the reason if the server does not admit us, and when the client is closed', async () => {
    wires.probed = () => Promise.resolve(refused);
    const first = client.open();
    wires.last.breaks();
    await expect(first).rejects.toMatchObject({ name: 'CommandRefused', failure: refused.failure });
    const second = client.open();
    client.close();
    await expect(second).rejects.toBeInstanceOf(ConnectionLost);
  });

  it('reconnects when the network is back, until it is closed', () => {
    void client.open();
    wires.last.arrives(welcome);
    wires.online?.(false);
    expect(client.state.name).toBe('offline');
    wires.online?.(true);
    expect(client.state.name).toBe('connecting');
    client.close();
    expect(wires.online).toBeNull();
  });

  it('says what an address must begin with', () => {
    expect(() => new Client({ address: 'localhost:8000/ws' })).toThrow('ws:// or wss://, unlike "localhost:8000/ws"');
  });
});

describe('credentials', () => {
  it('keeps the secret that a guest gets, for the next attempt', () => {
    wires.last.arrives({ ...welcome, guest: true, secret: 'id.mac.alice' });
    expect(client.secret).toBe('id.mac.alice');
    wires.last.breaks();
    clock.pass(0);
    expect(wires.last.subprotocols).toEqual(['hubbub.v1.json', 'secret.aWQubWFjLmFsaWNl']);
  });

  it('presents a token wherever it asks', async () => {
    const tokens = ['first', 'second', 'third'];
    client = new Client({ address: 'ws://host/ws', network: wires, clock, token: () => tokens.shift() ?? null });
    void client.open();
    expect(wires.last.subprotocols).toEqual(['hubbub.v1.json', 'bearer.first']);
    wires.last.breaks();
    await client.rooms().catch(() => {});
    expect(wires.probes.map(({ headers }) => headers)).toEqual([
      { Authorization: 'Bearer first' },
      { Authorization: 'Bearer second' },
    ]);
  });
});

describe('a token', () => {
  const HOUR = 3_600_000;
  /** Without a heartbeat, so that hours may pass in silence. */
  const lasting = { ...welcome, heartbeat: 100 * 24 * HOUR };
  const ends = (milliseconds: number) => new Date(Date.parse(welcome.ts) + milliseconds).toISOString();
  const states: string[] = [];
  let token: () => string | null | Promise<string | null>;

  beforeEach(() => {
    client.close();
    wires = new Wires();
    states.length = 0;
    token = () => 'first';
    client = new Client({
      address: 'ws://host/ws',
      network: wires,
      clock,
      backoff: new Backoff({ random: () => 0 }),
      token: () => token(),
      onState: ({ name }) => states.push(name),
    });
  });

  async function enter(expires = ends(HOUR)): Promise<void> {
    void client.open();
    await settled();
    wires.last.arrives({ ...lasting, expires });
  }

  const settled = () => new Promise((resolve) => setImmediate(resolve));

  it('is renewed before it expires, again and again', async () => {
    await enter();
    token = () => Promise.resolve('second');
    clock.pass(HOUR - 61_000);
    await settled();
    expect(wires.last.sent).toEqual([]);
    clock.pass(2_000);
    await settled();
    expect(wires.last.sent).toEqual([{ type: 'auth', id: '1', token: 'second' }]);
    wires.last.arrives({ type: 'ack', id: '1', expires: ends(2 * HOUR) });
    await settled();
    token = () => 'third';
    clock.pass(HOUR);
    await settled();
    expect(wires.last.sent.at(-1)).toMatchObject({ token: 'third' });
    expect(wires.opened).toHaveLength(1);
  });

  it('of a month is not renewed at once', async () => {
    await enter(ends(30 * 24 * HOUR));
    token = () => 'second';
    clock.pass(29 * 24 * HOUR);
    await settled();
    expect(wires.last.sent).toEqual([]);
    clock.pass(24 * HOUR);
    await settled();
    expect(wires.last.sent).toMatchObject([{ token: 'second' }]);
  });

  it('is not renewed by one that lasts no longer, nor on a connection that is gone', async () => {
    await enter();
    token = () => 'second';
    clock.pass(HOUR - 59_000);
    await settled();
    wires.last.arrives({ type: 'ack', id: '1', expires: ends(HOUR) });
    await settled();
    token = () => 'third';
    clock.pass(58_000);
    await settled();
    expect(wires.last.sent).toHaveLength(1);
    wires.last.breaks();
    clock.pass(0);
    wires.last.arrives({ ...lasting, expires: ends(HOUR) });
    let give: (token: string) => void = () => {};
    token = () => new Promise((resolve) => (give = resolve));
    clock.pass(HOUR - 59_000);
    wires.last.breaks();
    give('too late');
    await settled();
    expect(wires.opened.map(({ sent }) => sent.length)).toEqual([1, 0]);
  });

  it('is asked for after 4401, and another one opens again', async () => {
    await enter();
    token = () => Promise.resolve('second');
    wires.last.breaks(4401, 'the identity has expired');
    clock.pass(0);
    await settled();
    expect(wires.last.subprotocols).toEqual(['hubbub.v1.json', 'bearer.second']);
    wires.last.arrives(welcome);
    expect(client.state.name).toBe('live');
  });

  it.each(['the-same', null])('is not shown again after 4401: %s', async (next) => {
    token = () => 'the-same';
    await enter();
    token = () => Promise.resolve(next);
    wires.last.breaks(4401, 'the identity was revoked');
    clock.pass(0);
    await settled();
    clock.pass(60_000);
    expect(wires.opened).toHaveLength(1);
    expect(client.state).toMatchObject({ name: 'refused', failure: { message: 'the identity was revoked' } });
  });

  it('that has been renewed is not shown again after 4401', async () => {
    await enter();
    token = () => 'second';
    clock.pass(HOUR - 59_000);
    await settled();
    wires.last.arrives({ type: 'ack', id: '1', expires: ends(2 * HOUR) });
    await settled();
    wires.last.breaks(4401);
    clock.pass(0);
    await settled();
    clock.pass(60_000);
    expect([wires.opened.length, client.state.name]).toEqual([1, 'refused']);
  });

  it.each([4401, 4403])('that is a string is never shown again after %i', async (code) => {
    client = new Client({ address: 'ws://host/ws', network: wires, clock, token: 'first' });
    await enter();
    wires.last.breaks(code);
    clock.pass(60_000);
    expect(client.state.name).toBe('refused');
  });

  it('that cannot be had now is asked for again later', async () => {
    token = () => Promise.reject(new Error('the issuer is away'));
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    void client.open();
    await settled();
    expect(states).toEqual(['connecting', 'waiting']);
    token = () => 'first\n';
    clock.pass(0);
    await settled();
    expect(warn.mock.calls.flat().join()).not.toContain('first');
    token = () => Promise.resolve('first');
    clock.pass(0);
    await settled();
    expect(wires.last.subprotocols).toEqual(['hubbub.v1.json', 'bearer.first']);
    warn.mockRestore();
  });
});

describe('saying', () => {
  beforeEach(() => {
    wires.last.arrives(welcome);
    client.join('general');
    wires.last.arrives({ ...joined, rev: 7 });
  });

  it('resolves when the message is stored', async () => {
    const sent = client.send('general', 'hello', { replyTo: 3, data: { colour: 'red' } });
    expect(wires.last.sent.at(-1)).toMatchObject({ text: 'hello', reply_to: 3, data: { colour: 'red' } });
    wires.last.arrives({ type: 'ack', id: '1', room: 'general', seq: 8, rev: 8, ts: welcome.ts });
    expect(await sent).toMatchObject({ seq: 8 });
    expect(client.outbox.of('general')).toEqual([]);
  });

  it('rejects with the reason, and keeps nothing', async () => {
    const sent = client.send('general', 'hello');
    wires.last.arrives({ type: 'error', id: '1', code: 'forbidden', message: 'read only' });
    await expect(sent).rejects.toMatchObject({ failure: { code: 'forbidden', message: 'read only' } });
    expect(client.outbox.of('general')).toEqual([]);
  });

  it('rejects in a room that is not joined, and in one that refuses us', async () => {
    await expect(client.send('elsewhere', 'hello')).rejects.toThrow('Join elsewhere first.');
    client.join('private');
    const id = String(wires.last.sent.at(-1)?.['id']);
    wires.last.arrives({ type: 'error', id, room: 'private', code: 'forbidden', message: 'members only' });
    await expect(client.send('private', 'hello')).rejects.toMatchObject({ failure: { message: 'members only' } });
  });

  it('rejects when too many messages wait', async () => {
    const texts = Array.from({ length: 500 }, (_, number) => `no ${number}`);
    for (const text of texts) void client.send('general', text);
    await expect(client.send('general', 'one more')).rejects.toThrow('Too many messages wait for general.');
  });

  it('replaces half of a surrogate pair, which is no text', () => {
    void client.send('general', 'half \ud83d');
    expect(wires.last.sent.at(-1)).toMatchObject({ text: 'half \ufffd' });
  });
});

describe('topics', () => {
  it('follows them again after a reconnect', () => {
    const follows = () => wires.last.sent.filter(({ type }) => type !== 'join');
    client.follow('orders.*');
    client.follow('news');
    wires.last.arrives(welcome);
    client.unfollow('news');
    expect(follows().map(({ type, topic }) => `${type} ${topic}`)).toEqual([
      'follow orders.*',
      'follow news',
      'unfollow news',
    ]);
    reconnect();
    expect(follows()).toEqual([{ type: 'follow', topic: 'orders.*' }]);
  });
});

describe("an application's own commands", () => {
  it('resolve with their answers', async () => {
    wires.last.arrives(welcome);
    const asked = client.ask<{ winner: string }>({ type: 'close_poll' });
    expect(wires.last.sent.at(-1)).toEqual({ type: 'close_poll', id: '1' });
    wires.last.arrives({ type: 'poll_closed', id: '1', winner: 'tea' } as unknown as Event);
    expect((await asked).winner).toBe('tea');
    wires.last.arrives({ type: 'poll_opened', question: 'Tea?' } as unknown as Event);
    expect(events.map(({ type }) => type)).toEqual(['welcome', 'poll_opened']);
  });
});
