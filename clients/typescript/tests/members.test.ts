import { beforeEach, describe, expect, it } from 'vitest';
import { Client, ConnectionLost, type Event, type Joined, RoomMembers, RoomView } from 'hubbub-client';
import { HandClock, welcome, Wires } from './world.js';

const PLANS = 'private:x7k2';

const joined: Joined = {
  type: 'joined',
  room: PLANS,
  kind: 'private',
  title: 'Plans',
  name: 'Plans',
  role: 'owner',
  online: 1,
  users: [{ user: 'alice', name: 'Alice' }],
  epoch: 'e1',
  seq: 0,
  rev: 1,
  floor: 0,
  recovered: false,
};

const invitedBob: Event = {
  type: 'room',
  room: PLANS,
  rev: 2,
  by: 'alice',
  members: [{ user: 'bob', name: 'Bob', role: 'member' }],
};

describe('the commands of rooms', () => {
  let wires: Wires;
  let events: Event[];
  let client: Client;

  beforeEach(() => {
    wires = new Wires();
    events = [];
    const onEvent = (event: Event) => events.push(event);
    client = new Client({ address: 'ws://host/ws', network: wires, clock: new HandClock(), onEvent });
    void client.open();
    wires.last.arrives(welcome);
  });

  const answer = (event: Event) =>
    wires.last.arrives({ ...event, id: String(wires.last.sent.at(-1)?.['id']) } as Event);

  it('follow a room that was made, and join it again after a reconnect', async () => {
    const made = client.create({ kind: 'private', title: 'Plans', users: ['bob'] });
    expect(wires.last.sent.at(-1)).toEqual({
      type: 'create',
      id: '1',
      kind: 'private',
      title: 'Plans',
      users: ['bob'],
    });
    answer(joined);
    expect((await made).room).toBe(PLANS);
    expect(events.at(-1)).toMatchObject({ type: 'joined', room: PLANS });

    const said = client.send(PLANS, 'hello');
    expect(wires.last.sent.at(-1)).toMatchObject({ type: 'message', room: PLANS });
    wires.last.arrives(invitedBob);
    expect(events.at(-1)).toEqual(invitedBob);
    said.catch(() => {});
    client.connection.networkDown();
    client.connection.networkUp();
    wires.last.arrives(welcome);
    expect(wires.last.sent[0]).toMatchObject({ type: 'join', rooms: [{ room: PLANS, rev: 2, epoch: 'e1' }] });
  });

  it('say when it is unknown whether a room was made', async () => {
    const made = client.direct(['bob']);
    wires.last.breaks();
    await expect(made).rejects.toThrow(ConnectionLost);
    expect(client.follows(PLANS)).toBe(false);
  });

  it.each([
    [() => client.changeRoom(PLANS, { title: '', slow: 5 }), { type: 'change_room', title: '', slow: 5 }],
    [() => client.invite(PLANS, 'bob'), { type: 'invite', user: 'bob' }],
    [() => client.remove(PLANS, 'bob'), { type: 'remove', user: 'bob' }],
    [() => client.leaveRoom(PLANS), { type: 'leave_room' }],
    [() => client.setRole(PLANS, 'bob', 'moderator'), { type: 'set_role', user: 'bob', role: 'moderator' }],
    [() => client.kick(PLANS, 'bob'), { type: 'kick', user: 'bob' }],
    [() => client.report(PLANS, 7, 'spam'), { type: 'report', seq: 7, reason: 'spam' }],
    [() => client.mute(PLANS, 'bob', { on: false }), { type: 'mute', user: 'bob', on: false }],
    [
      () => client.ban(PLANS, 'bob', { until: new Date('2026-11-20T09:30:00Z') }),
      { type: 'ban', user: 'bob', until: '2026-11-20T09:30:00.000Z' },
    ],
  ])('are answered by an ack (%#)', async (call, command) => {
    const done = call();
    expect(wires.last.sent.at(-1)).toEqual({ id: '1', room: PLANS, ...command });
    answer({ type: 'ack', room: PLANS, rev: 3 });
    expect((await done).rev).toBe(3);
  });

  it('forget a room from which the client was taken', () => {
    client.join(PLANS);
    wires.last.arrives(joined);
    wires.last.arrives({ type: 'removed', room: PLANS, reason: 'removed' });
    expect(client.follows(PLANS)).toBe(false);
    expect(events.at(-1)).toEqual({ type: 'removed', room: PLANS, reason: 'removed' });
  });
});

describe('who is what', () => {
  const page = { room: PLANS, kind: 'private', members: [{ user: 'alice', name: 'Alice', role: 'owner' }] } as const;

  it('is not known before it is asked for, and then follows the events', () => {
    const view = new RoomView(PLANS, 10, () => ({ user: 'bob' }));
    view.apply({ ...joined, role: 'member' });
    expect([view.name, view.members.kind, view.members.list]).toEqual(['Plans', 'private', undefined]);

    view.members.learn({ ...page, rev: 1, members: [...page.members] });
    view.apply({ ...invitedBob, members: [{ user: 'bob', name: 'Bob', role: 'moderator' }] });
    expect(view.members.list?.map(({ user, role }) => [user, role])).toEqual([
      ['alice', 'owner'],
      ['bob', 'moderator'],
    ]);
    expect(view.members.role).toBe('moderator');

    view.apply({
      type: 'room',
      room: PLANS,
      rev: 3,
      title: '',
      members: [{ user: 'Alice', name: 'A', role: 'nobody' }],
    });
    expect(view.members.list?.map(({ user }) => user)).toEqual(['bob']);
    expect([view.name, view.members.of('alice')]).toEqual([PLANS, undefined]);
    view.apply({ type: 'removed', room: PLANS, reason: 'kicked' });
    expect(view.removed).toBe('kicked');
  });

  it('does not go back to a page that is older than an event', () => {
    const members = new RoomMembers();
    members.joined(joined);
    members.changed(invitedBob as Event & { type: 'room' });
    members.learn({ ...page, rev: 1, members: [{ user: 'carol', name: 'Carol', role: 'member' }] });
    expect(members.list?.map(({ user }) => user)).toEqual(['bob', 'carol']);
    members.learn({ ...page, rev: 5, members: [...page.members] });
    expect(members.list?.map(({ user }) => user)).toEqual(['alice']);
  });

  it('is learned page by page, and from pages of a search only who is in them', () => {
    const members = new RoomMembers();
    const pageOf = (user: string, next?: string) => ({
      ...page,
      rev: 1,
      members: [{ user, name: user, role: 'member' as const }],
      next,
    });
    members.learn(pageOf('alice', 'a'));
    members.learn(pageOf('zoe', 'z'), { q: 'zo' });
    expect([members.next, members.of('zoe')?.role]).toEqual(['a', 'member']);
    members.learn(pageOf('carol', 'c'), { after: 'b' });
    expect(members.next).toBe('a');
    members.learn(pageOf('bob'), { after: 'a' });
    expect([members.next, members.list?.length]).toEqual([undefined, 4]);
    members.caughtUp({ type: 'sync', room: PLANS, since: 1, rev: 2, floor: 0, users: [], messages: [] });
    members.learn(pageOf('bob'), { after: 'a' });
    expect(members.list).toBeUndefined();
  });

  it('is forgotten when changes of it were missed, except in a direct room', () => {
    const members = new RoomMembers();
    members.learn({ ...page, rev: 1, members: [...page.members] });
    members.joined({ ...joined, recovered: true, since: 1, rev: 1 });
    expect(members.list).toHaveLength(1);
    members.joined({ ...joined, recovered: true, since: 1, rev: 4 });
    expect(members.list).toBeUndefined();
    members.joined({ ...joined, members: [...page.members] });
    expect(members.list).toHaveLength(1);
  });

  it.each([
    [{ user: 'alice' }, 'member'],
    [{ user: 'alice', guest: true }, 'guest'],
    [{ user: 'alice', role: 'admin' as const }, 'owner'],
  ])('is what a public room makes of somebody without a role (%#)', (me, role) => {
    const members = new RoomMembers(() => me);
    members.changed({ type: 'room', room: 'r', rev: 2, members: [{ user: 'alice', name: 'Alice', role: 'nobody' }] });
    expect(members.role).toBe(role);
  });
});
