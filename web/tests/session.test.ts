import type { Joined } from 'hubbub-client';
import { beforeEach, describe, expect, it } from 'vitest';
import { HandClock, welcome, Wires } from '../../clients/typescript/tests/world';
import { Session } from '../src/models/session.svelte';
import { Remembered, type Store } from '../src/models/storage';

class MapStore implements Store {
  readonly #entries = new Map<string, string>();

  get length(): number {
    return this.#entries.size;
  }

  key(index: number): string | null {
    return [...this.#entries.keys()][index] ?? null;
  }

  getItem(name: string): string | null {
    return this.#entries.get(name) ?? null;
  }

  setItem(name: string, value: string): void {
    this.#entries.set(name, value);
  }

  removeItem(name: string): void {
    this.#entries.delete(name);
  }
}

let network: Wires;
let clock: HandClock;
let remembered: Remembered;
let session: Session;

beforeEach(() => {
  network = new Wires();
  clock = new HandClock();
  remembered = new Remembered({ tab: new MapStore(), device: new MapStore(), scope: '/' });
  remembered.keepSecret('alice', 'the-secret');
  session = begin();
});

function begin(account: string | null = null): Session {
  const address = new URL('ws://host/ws');
  const begun = new Session({
    name: 'alice',
    account,
    address,
    network,
    clock,
    drawing: {
      next(draw, drawn) {
        draw();
        drawn(0);
      },
      make(make, made) {
        make();
        made(0);
      },
    },
    remembered,
    newKey: () => `key-${clock.now()}`,
  });
  begun.start({ kind: 'start' });
  return begun;
}

/** Lets pending promises settle. */
const settled = () => new Promise((resolve) => setTimeout(resolve));

async function isRefused(status: number, failure: { code: 'unauthenticated' | 'conflict'; field?: string } | null) {
  network.probed = () =>
    Promise.resolve({ status, failure: failure && { ...failure, message: 'no' }, retryAfter: null });
  network.last.breaks();
  await settled();
}

async function say(text: string): Promise<void> {
  if (session.rooms.current === null) throw new Error('No room is open.');
  session.rooms.current.composing.draft = text;
  await session.rooms.current.submit();
}

const unsent = () => remembered.outboxOf('alice').load();

describe('a secret', () => {
  it('is sent in no address', () => {
    expect(network.last.address).toBe('ws://host/ws?username=alice');
    expect(network.last.subprotocols).toEqual(['hubbub.v1.json', 'secret.dGhlLXNlY3JldA']);
  });

  it.each([
    [401, null],
    [401, { code: 'unauthenticated' }],
    [502, null],
    [426, null],
    [404, null],
  ] as const)('is kept where %i is not an answer to it', async (status, failure) => {
    await say('hello');
    await isRefused(status, failure);
    expect(remembered.secretOf('alice')).toBe('the-secret');
    expect(unsent()).toMatchObject([{ text: 'hello' }]);
    expect(unsent()[0]?.failure).toBeUndefined();
  });

  it('is forgotten if the server says that it is not its own, and no waiting message is lost', async () => {
    await say('hello');
    await isRefused(401, { code: 'unauthenticated', field: 'secret' });
    expect(remembered.secretOf('alice')).toBeNull();
    expect(session.link.state.name).toBe('connecting');
    expect(network.last.subprotocols).toEqual(['hubbub.v1.json']);
    network.last.arrives({ ...welcome, guest: true, secret: 'another' });
    network.last.arrives({
      type: 'joined',
      room: 'general',
      name: 'general',
      online: 1,
      users: [],
      epoch: 'e',
      recovered: false,
    });
    expect(network.last.sent.at(-1)).toMatchObject({ type: 'message', text: 'hello' });
    expect(remembered.secretOf('alice')).toBe('another');
  });

  it('that another tab got in the meantime is used, not forgotten', async () => {
    remembered.keepSecret('alice', 'the new one');
    await isRefused(401, { code: 'unauthenticated', field: 'secret' });
    expect(remembered.secretOf('alice')).toBe('the new one');
    expect(network.last.subprotocols).toEqual(['hubbub.v1.json', 'secret.dGhlIG5ldyBvbmU']);
  });

  it('is sent also on a device that stores nothing', () => {
    network.last.arrives({ ...welcome, guest: true, secret: 'given' });
    remembered.keepSecret('alice', null);
    network.last.breaks();
    session.link.open();
    expect(network.last.subprotocols).toEqual(['hubbub.v1.json', 'secret.Z2l2ZW4']);
  });
});

describe('a name that is taken', () => {
  it('is refused if it was never admitted', async () => {
    expect(session.link.isEntering).toBe(true);
    await isRefused(409, { code: 'conflict' });
    expect(session.link.isEntering).toBe(false);
    expect(session.link.refusedEntry).toMatchObject({ code: 'conflict' });
  });

  it('leaves the conversation on the screen after a reconnect', async () => {
    network.last.arrives({ ...welcome, guest: true, secret: 'given' });
    network.last.breaks();
    session.link.open();
    await isRefused(409, { code: 'conflict' });
    expect(session.link.state.name).toBe('refused');
    expect(session.link.refusedEntry).toBeNull();
  });
});

it('sends what an account has written for this account only, whatever others are called', async () => {
  const joined = { type: 'joined' as const, room: 'general', name: 'general', online: 1, users: [], epoch: 'e' };
  const enter = (account: string | null) => {
    session.stop();
    session = begin(account);
    network.last.arrives({ ...welcome, user: account ?? 'alice' });
    network.last.arrives({ ...joined, recovered: false });
    return network.last.sent.flatMap(({ type, text }) => (type === 'message' ? [text] : []));
  };
  session = begin('alice');
  await say('hello');
  expect([enter('alice-2'), enter(null), enter('alice')]).toEqual([[], [], ['hello']]);
});

it('forgets a room that it can never join, but not one that it cannot join at the moment', () => {
  network.last.arrives({ ...welcome, guest: true, secret: 'given' });
  const refusal = { type: 'error', command: 'join', room: 'general', message: 'no' } as const;
  network.last.arrives({ ...refusal, id: String(network.last.sent.at(-1)?.['id']), code: 'unavailable' });
  expect(session.rooms.list.map(({ key }) => key)).toEqual(['general']);
  clock.pass(2_000);
  network.last.arrives({ ...refusal, id: String(network.last.sent.at(-1)?.['id']), code: 'too_large' });
  expect(session.rooms.list).toEqual([]);
});

describe('rooms of which one is a member', () => {
  const of = { online: 1, users: [], epoch: 'e', recovered: false };
  const direct: Joined = {
    type: 'joined',
    room: 'dm:xyz',
    name: 'dm:xyz',
    kind: 'direct',
    members: [
      { user: 'alice', name: 'Alice', role: 'member' },
      { user: 'bob', name: 'Bob', role: 'member' },
    ],
    ...of,
  };

  beforeEach(() => {
    network.last.arrives({ ...welcome, user: 'alice', guest: undefined, role: 'member' });
    network.last.arrives({ type: 'joined', room: 'general', name: 'general', ...of });
  });

  it('come into the list with the invitation, and are named after the people', () => {
    network.last.arrives({ type: 'invited', room: 'dm:xyz', kind: 'direct', by: 'bob' });
    expect(session.rooms.get('dm:xyz')?.name).toBe('Direct messages');
    clock.pass(250);
    network.last.arrives(direct);
    expect(session.rooms.get('dm:xyz')?.name).toBe('Bob');
    expect(session.rooms.sections.at(-1)?.kind).toBe('direct');
  });

  it('are named by their titles, also by a new one', () => {
    network.last.arrives({ type: 'invited', room: 'private:abc', kind: 'private', by: 'bob' });
    const room = session.rooms.get('private:abc');
    expect(room?.name).toBe('Private room');
    clock.pass(250);
    const about = { room: 'private:abc', kind: 'private', title: 'Design' } as const;
    network.last.arrives({ type: 'joined', name: 'Design', rev: 3, role: 'member', ...about, ...of });
    expect([room?.name, room?.label]).toEqual(['Design', 'Design']);
    clock.pass(250);
    network.last.arrives({ type: 'room', room: 'private:abc', rev: 4, title: 'Pictures' });
    expect(room?.name).toBe('Pictures');
  });

  it('leave the list when one is removed, and what was not sent is shown once more', () => {
    network.last.arrives({ type: 'invited', room: 'dm:xyz', kind: 'direct', by: 'bob' });
    network.last.arrives(direct);
    session.rooms.lookAt('dm:xyz');
    if (session.rooms.current !== null) session.rooms.current.composing.draft = 'unfinished';
    network.last.arrives({ type: 'removed', room: 'dm:xyz', reason: 'banned' });
    expect(session.rooms.get('dm:xyz')).toBeUndefined();
    expect(session.rooms.current?.key).toBe('general');
    expect(session.opened.dialog).toMatchObject({ name: 'Bob', reason: 'banned', unsent: ['unfinished'] });
  });

  it('leave the list with a sentence if the user looks at another one', () => {
    network.last.arrives({ type: 'invited', room: 'dm:xyz', kind: 'direct', by: 'bob' });
    network.last.arrives(direct);
    network.last.arrives({ type: 'removed', room: 'dm:xyz', reason: 'removed' });
    expect(session.opened.dialog).toBeNull();
    expect(session.notices.shown.map(({ message }) => message)).toEqual(['You are no longer in Bob.']);
  });

  it('are asked for once, because others may have invited the user on another device', async () => {
    network.probed = () =>
      Promise.resolve({
        status: 200,
        failure: null,
        retryAfter: null,
        body: { rooms: [{ room: 'private:abc', name: 'Design', kind: 'private' }] },
      });
    clock.pass(1_000);
    await settled();
    expect(session.rooms.get('private:abc')).toBeDefined();
    expect(network.probes.map(({ address }) => new URL(address).searchParams.get('q'))).toEqual(['private:', 'dm:']);
  });
});

it('tells a moderator of a new report, and not of a closed one', () => {
  network.last.arrives(welcome);
  network.last.arrives({ type: 'report', id: '1-a', room: 'lobby', seq: 3, state: 'closed' });
  expect(session.notices.shown).toEqual([]);
  network.last.arrives({ type: 'report', id: '1-a', room: 'lobby', seq: 3, state: 'open' });
  expect(session.notices.shown.map(({ message }) => message)).toEqual(['Reports: lobby']);
});

it('hears nothing of a blocked person', () => {
  const of = { room: 'general', user: 'bob', name: 'Bob' };
  network.last.arrives(welcome);
  network.last.arrives({
    type: 'joined',
    room: 'general',
    name: 'general',
    online: 1,
    users: [],
    epoch: 'e',
    recovered: false,
  });
  session.blocked.block({ user: 'bob', name: 'Bob' });
  session.rooms.current?.lookAway();
  network.last.arrives({ type: 'message', text: 'hello @alice', ts: welcome.ts, seq: 1, rev: 1, ...of });
  network.last.arrives({ type: 'typing', active: true, ...of });
  expect(session.rooms.unseen).toBe(0);
  expect(session.rooms.current?.typists.people).toEqual([]);
});

describe('a quoted or spoken text', () => {
  it('has the name of a private room in place of its key', () => {
    session.rooms.invited('private:x7');
    session.rooms.get('private:x7')?.apply({
      type: 'joined',
      room: 'private:x7',
      name: 'Plans',
      kind: 'private',
      title: 'Plans',
      online: 0,
      users: [],
      epoch: 'e',
      recovered: false,
    });

    expect(session.rooms.named('See #Private:x7, #general and #private:other.')).toBe(
      'See Plans, #general and #private:other.',
    );
  });
});
