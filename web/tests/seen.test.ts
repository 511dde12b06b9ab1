import { beforeEach, describe, expect, it } from 'vitest';
import type { Joined, MessageEvent } from 'hubbub-client';
import { HandClock, welcome, Wires } from '../../clients/typescript/tests/world';
import { Session } from '../src/models/session.svelte';
import type { Archive } from '../src/models/seen';
import { Remembered } from '../src/models/storage';

const asGuest = { ...welcome, guest: true };

/** The time after which a change is stored. */
const LATER = 2_000;

class MapArchive implements Archive {
  readonly texts = new Map<string, string>();
  isFull = false;

  async names(): Promise<string[]> {
    return [...this.texts.keys()];
  }

  async load(name: string): Promise<string | null> {
    return this.texts.get(name) ?? null;
  }

  async keep(name: string, text: string): Promise<void> {
    if (this.isFull) throw new DOMException('full', 'QuotaExceededError');
    this.texts.delete(name);
    this.texts.set(name, text);
  }

  async forget(name: string): Promise<void> {
    this.texts.delete(name);
  }
}

let archive: MapArchive;
let clock: HandClock;
let network: Wires;

beforeEach(() => {
  archive = new MapArchive();
  clock = new HandClock();
});

/** A start of the page. */
async function start({ known = ['general'], hasAccount = false } = {}): Promise<Session> {
  network = new Wires();
  const nothing = { getItem: () => null, setItem: () => {}, removeItem: () => {}, key: () => null, length: 0 };
  const rooms = (name: string) => (name.includes('rooms:') ? JSON.stringify(known) : null);
  const session = new Session({
    name: 'alice',
    account: hasAccount ? 'alice' : null,
    address: new URL('ws://host/ws'),
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
    remembered: new Remembered({ tab: nothing, device: { ...nothing, getItem: rooms }, scope: '/' }),
    archive,
    newKey: () => `key-${clock.now()}`,
  });
  session.start({ kind: 'start' });
  await settled();
  return session;
}

/** Lets pending promises settle. */
const settled = () => new Promise((resolve) => setTimeout(resolve));

function message(seq: number, text = `no ${seq}`, room = 'general'): MessageEvent {
  return { type: 'message', room, user: 'bob', name: 'Bob', text, seq, rev: seq, ts: '2026-11-20T09:30:00.123Z' };
}

function joins(messages: MessageEvent[], room = 'general'): void {
  const seq = messages.at(-1)?.seq ?? 0;
  const base: Joined = { type: 'joined', room, name: room, online: 1, users: [], epoch: 'e', recovered: false };
  network.last.arrives({ ...base, messages, seq, rev: seq, floor: 0 });
}

async function pass(): Promise<void> {
  clock.pass(LATER);
  await settled();
}

const texts = (session: Session) =>
  session.rooms.current?.timeline.lines.map((line) => ('text' in line ? line.text : line.kind));

const pages = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => message(first + index));

describe('what was seen last', () => {
  it('is shown at the next start, until the server says what is there now', async () => {
    await start();
    network.last.arrives(asGuest);
    joins([message(1), message(2)]);
    network.last.arrives(message(3));
    await pass();

    const next = await start();
    expect(texts(next)).toEqual(['no 1', 'no 2', 'no 3']);
    expect(next.rooms.current?.isOld).toBe(true);

    network.last.arrives(asGuest);
    joins([message(2, 'changed'), message(4)]);
    expect(texts(next)).toEqual(['changed', 'no 4']);
    expect(next.rooms.current?.isOld).toBe(false);
  });

  it('comes too late when the room is joined', async () => {
    archive.load = async () => {
      network.last.arrives(asGuest);
      joins([message(7)]);
      return JSON.stringify([{ kind: 'announced', id: 'seq 1', seq: 1, text: 'old', at: 0 }]);
    };
    archive.texts.set('alice general', '');
    const begun = await start();
    expect(texts(begun)).toEqual(['no 7']);
  });

  it('follows a deletion', async () => {
    await start();
    network.last.arrives(asGuest);
    joins([message(1, 'a secret')]);
    await pass();
    expect(archive.texts.get('alice general')).toContain('a secret');

    const ts = '2026-11-20T09:31:00.123Z';
    network.last.arrives({
      type: 'changed',
      room: 'general',
      seq: 1,
      rev: 2,
      user: 'bob',
      deleted: ts,
    });
    await pass();
    expect(archive.texts.get('alice general')).not.toContain('a secret');
  });

  it('is at most fifty messages of twenty rooms, and of limited length', async () => {
    const session = await start();
    network.last.arrives(asGuest);
    for (let number = 1; number <= 25; number += 1) {
      session.rooms.lookAt(`room${number}`);
      joins(
        pages(1, 80).map((one) => ({ ...one, room: `room${number}`, text: 'x'.repeat(number === 25 ? 4_000 : 10) })),
        `room${number}`,
      );
      await pass();
    }
    expect([...archive.texts.keys()]).toEqual(Array.from({ length: 20 }, (_, index) => `alice room${index + 6}`));
    expect(JSON.parse(archive.texts.get('alice room24') ?? '')).toHaveLength(50);
    expect(archive.texts.get('alice room25')?.length).toBeLessThan(50_000);
  });

  it('is not of rooms at which the user has not looked', async () => {
    await start({ known: ['general', 'hall'] });
    network.last.arrives(asGuest);
    joins([message(1)]);
    joins([message(1, 'hi', 'hall')], 'hall');
    await pass();
    expect([...archive.texts.keys()]).toEqual(['alice general']);
  });

  it('is forgotten with the room, and when the user leaves', async () => {
    const session = await start();
    network.last.arrives(asGuest);
    joins([message(1)]);
    session.rooms.lookAt('hall');
    joins([message(1, 'hi', 'hall')], 'hall');
    await pass();
    expect(archive.texts.size).toBe(2);

    session.rooms.leave(session.rooms.list[0]!);
    await pass();
    expect([...archive.texts.keys()]).toEqual(['alice hall']);

    network.last.arrives(message(2, 'later', 'hall'));
    archive.texts.set('bob hall', '[]');
    session.stop();
    await pass();
    expect([...archive.texts.keys()]).toEqual(['bob hall']);
  });

  it('is nothing where the host app knows the user: nobody tells the page of a logout', async () => {
    for (const hasAccount of [true, false]) {
      await start({ hasAccount });
      network.last.arrives(welcome);
      joins([message(1)]);
      await pass();
      expect(archive.texts.size).toBe(0);
    }
  });

  it('is nothing on a device that is full, or where it is damaged, and the conversation goes on', async () => {
    archive.isFull = true;
    archive.texts.set('alice general', '[{"kind":"said","seq":1}, 5, null]');
    const session = await start();
    expect(texts(session)).toEqual([]);
    network.last.arrives(asGuest);
    joins([message(1)]);
    await pass();
    expect(texts(session)).toEqual(['no 1']);
  });
});
