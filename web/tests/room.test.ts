import type { Joined } from 'hubbub-client';
import { beforeEach, describe, expect, it } from 'vitest';
import { HandClock } from '../../clients/typescript/tests/world';
import { Room, type RoomEvent } from '../src/models/room.svelte';

let clock: HandClock;
let told: boolean[];
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
  told = [];
  room = new Room('general', {
    clock,
    me: () => ({ user: 'alice', name: 'Alice' }),
    tellTyping: (active) => told.push(active),
  });
  room.apply(joined);
});

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
  it('begins with whom the server names, by name', () => {
    expect(room.people.list.map(({ name }) => name)).toEqual(['Alice', 'Bob']);
  });

  it('follows comings and goings', () => {
    room.apply({ type: 'join', room: 'general', user: 'carol', name: 'Carol', online: 3 });
    room.apply({ type: 'leave', room: 'general', user: 'bob', name: 'Bob', online: 2 });
    expect(room.people.list.map(({ name }) => name)).toEqual(['Alice', 'Carol']);
    expect(room.people.online).toBe(2);
    expect(room.timeline.lines).toMatchObject([{ kind: 'moved', came: ['Carol'], went: ['Bob'] }]);
  });

  it('says nothing of my own', () => {
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
    expect(room.typists.names).toEqual(['bob']);
    clock.pass(1);
    expect(room.typists.names).toEqual([]);
  });

  it('is told anew by each sign, and ended by a stop, a message or a departure', () => {
    room.apply(typing('bob'));
    clock.pass(4_000);
    room.apply(typing('bob'));
    clock.pass(4_000);
    expect(room.typists.names).toEqual(['bob']);
    room.apply(typing('bob', false));
    expect(room.typists.names).toEqual([]);
    room.apply(typing('bob'));
    room.apply(said('bob', 'there'));
    expect(room.typists.names).toEqual([]);
    room.apply(typing('bob'));
    room.apply({ type: 'leave', room: 'general', user: 'bob', name: 'Bob', online: 1 });
    expect(room.typists.names).toEqual([]);
  });

  it('is never me', () => {
    room.apply(typing('alice'));
    expect(room.typists.names).toEqual([]);
  });

  it('hears from me sparingly, and that I stopped', () => {
    room.sign.wrote('h');
    room.sign.wrote('he');
    clock.pass(2_500);
    room.sign.wrote('hel');
    room.sign.wrote('');
    room.sign.wrote('');
    expect(told).toEqual([true, true, false]);
  });
});

describe('what I have not seen', () => {
  it('is counted while I look elsewhere', () => {
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

  it('begins anew where the server could not bring us up to date', () => {
    room.apply({ ...joined, rev: 3 });
    room.apply({ ...said('bob', 'before'), seq: 3, rev: 4 } as RoomEvent);
    room.apply({ ...joined, rev: 4000, messages: [] });
    expect(room.timeline.isEmpty).toBe(true);
  });

  it('adds what was missed where it could', () => {
    room.apply({ ...joined, rev: 3 });
    const missed = { ...said('bob', 'meanwhile'), seq: 4, rev: 4 } as Extract<RoomEvent, { type: 'message' }>;
    room.apply({ ...joined, rev: 4, since: 3, recovered: true, messages: [missed] });
    expect(room.timeline.lines).toMatchObject([{ text: 'meanwhile' }]);
  });
});
