import { Client, fold, type Event, type Joined, type MessageEvent } from 'hubbub-client';
import { beforeEach, describe, expect, it } from 'vitest';
import { HandClock, welcome, Wires } from '../../clients/typescript/tests/world';
import { Room, type RoomEvent } from '../src/models/room.svelte';

let clock: HandClock;
let wires: Wires;
let client: Client;
let told: unknown[];
let room: Room;

const joined: Joined = {
  type: 'joined',
  room: 'general',
  name: 'General',
  online: 2,
  users: [
    { user: 'bob', name: 'Bob' },
    { user: 'alice', name: 'Alice' },
  ],
  epoch: 'e1',
  recovered: false,
};

beforeEach(() => {
  clock = new HandClock();
  wires = new Wires();
  told = [];
  let keys = 0;
  client = new Client({
    address: () => 'ws://host/ws',
    network: wires,
    clock,
    onState: () => {},
    onEvent: (event) => {
      if (isOfRoom(event) && fold(event.room) === 'general') room.apply(event);
    },
    onSent: (message, ack) => room.sent(message, ack),
    onFailed: (message) => room.failed(message),
  });
  room = new Room('general', {
    clock,
    client,
    me: () => ({ user: 'alice', name: 'Alice' }),
    newKey: () => `key-${(keys += 1)}`,
    tell: (error) => told.push(error),
  });
  client.join('general');
  client.connection.open();
  wires.last.arrives(welcome);
  wires.last.arrives(joined);
});

const OF_ROOMS = new Set(['joined', 'sync', 'message', 'changed', 'room', 'join', 'leave', 'online', 'typing']);

function isOfRoom(event: Event): event is RoomEvent {
  return OF_ROOMS.has(event.type);
}

const ofType = (type: string) => wires.last.sent.filter((command) => command['type'] === type);
const lastId = () => String(wires.last.sent.at(-1)?.['id']);

/** The answer to the last command. */
function page(messages: MessageEvent[], more: boolean): Event {
  return { type: 'history', id: lastId(), room: 'general', rev: 100, users: [], messages, more };
}

/** Lets pending promises settle. */
const settled = () => new Promise((resolve) => setTimeout(resolve));

const stored = (seq: number, extra: Partial<MessageEvent> = {}): MessageEvent => ({
  type: 'message',
  room: 'general',
  user: 'bob',
  name: 'Bob',
  text: `no ${seq}`,
  ts: welcome.ts,
  seq,
  rev: seq,
  ...extra,
});

const rows = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => stored(first + index));

const said = (user: string, text: string): RoomEvent => ({
  type: 'message',
  room: 'general',
  user,
  name: user,
  text,
  ts: new Date(clock.now()).toISOString(),
});
const typing = (user: string, active = true): RoomEvent => ({
  type: 'typing',
  room: 'general',
  user,
  name: user,
  active,
});

describe('who is here', () => {
  it('begins with the people whom the server names, sorted by name', () => {
    expect(room.people.list.map(({ name }) => name)).toEqual(['Alice', 'Bob']);
  });

  it('follows joins and leaves', () => {
    room.apply({ type: 'join', room: 'general', user: 'carol', name: 'Carol', online: 3 });
    room.apply({ type: 'leave', room: 'general', user: 'bob', name: 'Bob', online: 2 });
    expect(room.people.list.map(({ name }) => name)).toEqual(['Alice', 'Carol']);
    expect(room.people.online).toBe(2);
    expect(room.timeline.lines).toMatchObject([
      { kind: 'moved', came: [{ user: 'carol', name: 'Carol' }], went: [{ user: 'bob', name: 'Bob' }] },
    ]);
  });

  it('shows nothing for a join of somebody listed and a leave of somebody not listed', () => {
    room.apply({ type: 'join', room: 'general', user: 'bob', name: 'Bob', online: 2 });
    room.apply({ type: 'leave', room: 'general', user: 'carol', name: 'Carol', online: 2 });
    expect(room.people.list.map(({ name }) => name)).toEqual(['Alice', 'Bob']);
    expect(room.people.online).toBe(2);
    expect(room.timeline.lines).toEqual([]);
  });

  it('shows no line for my own joins and leaves', () => {
    room.apply({ type: 'join', room: 'general', user: 'alice', name: 'Alice', online: 2 });
    expect(room.timeline.isEmpty).toBe(true);
  });

  it('knows only a number in a large room', () => {
    room.apply({ type: 'online', room: 'general', online: 1234 });
    expect(room.people.online).toBe(1234);
    expect(room.people.unnamed).toBe(1232);
  });
});

describe('who types', () => {
  it('is forgotten after six seconds', () => {
    room.apply(typing('bob'));
    clock.pass(5_999);
    expect(room.typists.people).toMatchObject([{ user: 'bob' }]);
    clock.pass(1);
    expect(room.typists.people).toEqual([]);
  });

  it('is renewed by each event, and ended by a stop, a message or a leave', () => {
    room.apply(typing('bob'));
    clock.pass(4_000);
    room.apply(typing('bob'));
    clock.pass(4_000);
    expect(room.typists.people).toMatchObject([{ user: 'bob' }]);
    room.apply(typing('bob', false));
    expect(room.typists.people).toEqual([]);
    room.apply(typing('bob'));
    room.apply(said('bob', 'there'));
    expect(room.typists.people).toEqual([]);
    room.apply(typing('bob'));
    room.apply({ type: 'leave', room: 'general', user: 'bob', name: 'Bob', online: 1 });
    expect(room.typists.people).toEqual([]);
  });

  it('is never me', () => {
    room.apply(typing('alice'));
    expect(room.typists.people).toEqual([]);
  });

  it('sends my own typing sparingly, and its end', () => {
    room.sign.wrote('h');
    room.sign.wrote('he');
    clock.pass(2_500);
    room.sign.wrote('hel');
    room.sign.wrote('');
    room.sign.wrote('');
    expect(ofType('typing').map(({ active }) => active)).toEqual([true, true, false]);
  });
});

describe('what I have not seen', () => {
  it('is counted while I look at another room', () => {
    room.apply(said('bob', 'one'));
    room.apply(said('bob', 'for @alice'));
    room.apply(said('alice', 'from my other tab'));
    expect(room.unseen).toBe(2);
    expect(room.mentioned).toBe(true);
    room.lookAt();
    expect(room.unseen).toBe(0);
    expect(room.mentioned).toBe(false);
    room.apply(said('bob', 'two'));
    expect(room.unseen).toBe(0);
  });
});

describe('coming back', () => {
  it('keeps what was read in a room that stores nothing, and says that more may be missing', () => {
    room.apply(said('bob', 'before'));
    room.apply(joined);
    expect(room.timeline.lines).toMatchObject([{ text: 'before' }, { kind: 'missed' }]);
  });

  it('starts over if the server could not recover the room', () => {
    room.apply({ ...joined, rev: 3 });
    room.apply({ ...said('bob', 'before'), seq: 3, rev: 4 } as RoomEvent);
    room.apply({ ...joined, rev: 4000, messages: [] });
    expect(room.timeline.isEmpty).toBe(true);
  });

  it('adds what was missed if the server could recover it', () => {
    room.apply({ ...joined, rev: 3 });
    const missed = { ...said('bob', 'meanwhile'), seq: 4, rev: 4 } as Extract<RoomEvent, { type: 'message' }>;
    room.apply({ ...joined, rev: 4, since: 3, recovered: true, messages: [missed] });
    expect(room.timeline.lines).toMatchObject([{ text: 'meanwhile' }]);
  });
});

describe('what I do', () => {
  beforeEach(() => wires.last.arrives({ ...joined, seq: 100, rev: 100, floor: 0, messages: rows(51, 100) }));

  it('sends a message and a reply', async () => {
    room.composing.answer(stored(100) as never);
    room.composing.draft = ' hello ';
    await room.submit();
    expect(ofType('message')).toMatchObject([{ text: 'hello', key: 'key-1', reply_to: 100 }]);
    expect(room.timeline.lines.at(-1)).toMatchObject({ state: 'sending', replyTo: 100, quote: { text: 'no 100' } });
    expect(room.composing.draft).toBe('');
    wires.last.arrives({ type: 'ack', id: lastId(), room: 'general', seq: 101, rev: 101, ts: welcome.ts });
    await settled();
    expect(room.timeline.lines.at(-1)).toMatchObject({ state: 'sent', seq: 101 });
  });

  it('can be tried again or discarded after a refusal', async () => {
    room.composing.draft = 'hello';
    await room.submit();
    wires.last.arrives({ type: 'error', id: lastId(), code: 'forbidden', message: 'not here' });
    await settled();
    const line = room.timeline.lines.at(-1);
    expect(line).toMatchObject({ state: 'failed', failure: { message: 'not here' } });
    if (line?.kind === 'said') room.retry(line);
    expect(ofType('message').map(({ key }) => key)).toEqual(['key-1', 'key-1']);
    if (line?.kind === 'said') room.discard(line);
    expect(room.timeline.upTo).toBe(100);
    expect(client.outbox.of('general')).toEqual([]);
  });

  it('edits my last message, and keeps the text until the server has stored it', async () => {
    wires.last.arrives(stored(101, { user: 'alice', text: 'helo' }));
    room.composing.draft = 'something else';
    room.editLast();
    expect(room.composing.draft).toBe('helo');
    room.composing.draft = 'hello';
    const edit = room.submit();
    wires.last.arrives({ type: 'error', id: lastId(), code: 'unavailable', message: 'not now' });
    await edit;
    expect(room.composing.draft).toBe('hello');
    expect(told).toMatchObject([{ message: 'not now' }]);
    const again = room.submit();
    expect(ofType('edit').at(-1)).toMatchObject({ seq: 101, text: 'hello' });
    wires.last.arrives({ type: 'ack', id: lastId(), rev: 102 });
    await again;
    expect(room.composing.draft).toBe('something else');
  });

  it('goes back page by page, and to the end again', async () => {
    const older = room.reading.older();
    expect(ofType('history')).toMatchObject([{ before: 51 }]);
    expect(await room.reading.older()).toBe(false);
    expect(ofType('history')).toHaveLength(1);
    wires.last.arrives(page(rows(1, 50), false));
    expect(await older).toBe(true);
    expect(room.timeline.from).toBe(1);
    expect(room.timeline.hasOlder).toBe(false);
  });

  it('goes to a message that is not loaded, and counts new messages', async () => {
    const there = room.reading.to(10);
    wires.last.arrives(page(rows(1, 30), true));
    await there;
    expect(room.reading.goal).toEqual({ kind: 'message', seq: 10 });
    expect(room.timeline.isBehind).toBe(true);
    room.reading.looksAt(true);
    wires.last.arrives(stored(101));
    expect(room.timeline.upTo).toBe(30);
    expect(room.reading.unread).toBe(1);
    const back = room.reading.toEnd();
    wires.last.arrives(page(rows(52, 101), true));
    await back;
    expect(room.reading.goal).toEqual({ kind: 'end' });
    room.reading.looksAt(true);
    expect(room.reading.unread).toBe(0);
  });
});

describe('pins', () => {
  const change = { type: 'changed', room: 'general', user: 'bob' } as const;

  beforeEach(() =>
    wires.last.arrives({ ...joined, seq: 3, rev: 3, floor: 0, messages: [stored(3, { pinned: true })] }),
  );

  it('come with the room, and disappear when they are unpinned or deleted', () => {
    expect(room.pins.list).toMatchObject([{ seq: 3, text: 'no 3' }]);
    wires.last.arrives({ ...change, seq: 3, rev: 4, pinned: false });
    expect(room.pins.list).toEqual([]);
    wires.last.arrives({ ...change, seq: 3, rev: 5, pinned: true });
    wires.last.arrives({ ...change, seq: 3, rev: 6, deleted: welcome.ts });
    expect(room.pins.list).toEqual([]);
  });

  it('are fetched if the message is not loaded', async () => {
    wires.last.arrives({ ...change, seq: 1, rev: 4, pinned: true });
    expect(ofType('history')).toMatchObject([{ around: 1, limit: 1 }]);
    const row = stored(1, { rev: 4, pinned: true });
    wires.last.arrives(page([row], true));
    await settled();
    expect(room.pins.list.map(({ seq }) => seq)).toEqual([3, 1]);
  });

  it('are requested once when the room is shown, however old they are', async () => {
    expect(ofType('history')).toEqual([]);
    room.lookAt();
    expect(ofType('history')).toMatchObject([{ room: 'general', pinned: true }]);
    wires.last.arrives(page([stored(1, { pinned: true }), stored(3, { pinned: true })], false));
    await settled();
    expect(room.pins.list.map(({ seq }) => seq)).toEqual([3, 1]);
    room.lookAt();
    wires.last.arrives({ ...joined, rev: 3, since: 3, floor: 0, recovered: true, messages: [] });
    expect(ofType('history')).toHaveLength(1);
    wires.last.arrives({ ...joined, seq: 3, rev: 3, floor: 0, messages: [] });
    expect(room.pins.list).toEqual([]);
    expect(ofType('history')).toHaveLength(2);
  });

  it('keep changes by events that came before their page', async () => {
    room.lookAt();
    const asked = lastId();
    wires.last.arrives({ ...change, seq: 1, rev: 4, pinned: false });
    wires.last.arrives({ ...change, seq: 2, rev: 5, text: 'changed', edited: welcome.ts });
    const pinned = [1, 2, 3].map((seq) => stored(seq, { pinned: true }));
    wires.last.arrives({ ...page(pinned, false), id: asked, rev: 3 } as Event);
    await settled();
    expect(room.pins.list.map(({ text }) => text)).toEqual(['no 3', 'changed']);
  });

  it('are not undone by events that come after a newer page', async () => {
    room.lookAt();
    wires.last.arrives(page([stored(1, { rev: 5, text: 'newer', pinned: true })], false));
    await settled();
    wires.last.arrives({ ...change, seq: 1, rev: 4, text: 'older', edited: welcome.ts });
    expect(room.pins.list).toMatchObject([{ seq: 3 }, { seq: 1, text: 'newer' }]);
  });

  it('are requested again if the connection ended before they came', async () => {
    room.lookAt();
    wires.last.breaks();
    await settled();
    client.connection.networkUp();
    wires.last.arrives(welcome);
    wires.last.arrives({ ...joined, rev: 3, since: 3, floor: 0, recovered: true, messages: [] });
    expect(ofType('history')).toMatchObject([{ pinned: true }]);
  });
});

describe('what may not be written', () => {
  const slow = { type: 'room', room: 'general', rev: 1, slow: 30 } as const;

  beforeEach(() => room.apply({ ...joined, kind: 'public', role: 'member' }));

  it('is nothing in an archived room', () => {
    room.apply({ type: 'room', room: 'general', rev: 1, archived: true });
    expect(room.isClosed).toBe(true);
    room.apply({ type: 'room', room: 'general', rev: 2, archived: false });
    expect(room.isClosed).toBe(false);
  });

  it('is nothing until a mute ends', () => {
    const muted = new Date(clock.now() + 60_000).toISOString();
    room.apply({
      type: 'room',
      room: 'general',
      rev: 1,
      members: [{ user: 'alice', name: 'Alice', role: 'nobody', muted }],
    });
    expect(room.mutedUntil).toBe(muted);
    expect(room.about.role).toBe('member');
    clock.pass(60_000);
    room.timePassed();
    expect(room.isClosed).toBe(false);
  });

  it('waits in slow mode after a message, but not for moderators', () => {
    room.apply(slow);
    room.sent({ room: 'general', key: 'k', text: 'hi', at: clock.now() }, { type: 'ack', seq: 1, rev: 2 });
    expect(room.silentUntil).toBe(clock.now() + 30_000);
    room.apply({
      type: 'room',
      room: 'general',
      rev: 3,
      members: [{ user: 'alice', name: 'Alice', role: 'moderator' }],
    });
    expect(room.isSlow).toBe(false);
  });

  it('are read page by page, of a large room the first ones and those who are looked for', async () => {
    const pages: Record<string, object> = {
      '': { members: [{ user: 'bob', name: 'Bob', role: 'owner' }], next: 'b' },
      b: { members: [{ user: 'carol', name: 'Carol', role: 'moderator' }] },
      zoe: { members: [{ user: 'zoe', name: 'Zoe', muted: 'for_ever' }] },
    };
    wires.probed = () => {
      const asked = new URL(wires.probes.at(-1)?.address ?? '').searchParams;
      const body = { room: 'general', kind: 'public', ...pages[asked.get('q') ?? asked.get('after') ?? ''] };
      return Promise.resolve({ status: 200, failure: null, retryAfter: null, body });
    };
    await room.readMembers('zoe');
    expect([room.about.next, room.about.of('zoe')?.muted, room.about.of('carol')]).toEqual([
      'b',
      'for_ever',
      undefined,
    ]);
    await room.members({ after: 'b' });
    expect([room.about.next, room.about.list?.length]).toEqual([undefined, 3]);
  });

  it('makes the page ask why', async () => {
    const page = { room: 'general', kind: 'public', members: [{ user: 'alice', name: 'Alice', muted: 'for_ever' }] };
    wires.probed = () => Promise.resolve({ status: 200, failure: null, retryAfter: null, body: page });
    room.failed({ room: 'general', key: 'k', text: 'hi', at: 1, failure: { code: 'forbidden', message: 'no' } });
    await settled();
    expect(room.mutedUntil).toBe('for_ever');
  });
});
