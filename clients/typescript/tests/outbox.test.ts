import { beforeEach, describe, expect, it } from 'vitest';
import {
  Backoff,
  CommandRefused,
  ConnectionLost,
  Outbox,
  type Ack,
  type ErrorCode,
  type OutboxStore,
  type Unsent,
} from 'hubbub-client';
import { HandClock } from './world.js';

class Shelf implements OutboxStore {
  readonly kept = new Map<string, string>();

  load(): Unsent[] {
    return [...this.kept.values()].map((value) => JSON.parse(value) as Unsent);
  }

  put(message: Unsent): void {
    this.kept.set(message.key, JSON.stringify(message));
  }

  remove(message: Unsent): void {
    this.kept.delete(message.key);
  }
}

interface Sending {
  message: Unsent;
  resolve: (ack: Ack) => void;
  reject: (error: Error) => void;
}

let clock: HandClock;
let shelf: Shelf;
let sending: Sending[];
let outcomes: string[];
let outbox: Outbox;

function open(): Outbox {
  return new Outbox({
    store: shelf,
    clock,
    backoff: new Backoff({ random: () => 0.5 }),
    send: (message) => new Promise((resolve, reject) => sending.push({ message, resolve, reject })),
    onSent: ({ key }) => outcomes.push(`${key} sent`),
    onFailed: ({ key }, { code }) => outcomes.push(`${key} ${code}`),
  });
}

beforeEach(() => {
  clock = new HandClock();
  shelf = new Shelf();
  sending = [];
  outcomes = [];
  outbox = open();
});

const say = (key: string, room = 'general') => outbox.add({ room, key, text: `text of ${key}` });
const keys = () => sending.map(({ message }) => message.key);

/** Lets pending promises settle. */
const settled = () => new Promise((resolve) => setTimeout(resolve));

async function ack(): Promise<void> {
  sending.at(-1)?.resolve({ type: 'ack' });
  await settled();
}

async function refuse(code: ErrorCode, retry_after?: number): Promise<void> {
  sending.at(-1)?.reject(new CommandRefused({ code, message: code }, retry_after));
  await settled();
}

describe('order', () => {
  it('is kept within a room, and no room waits for another', async () => {
    outbox.open('general');
    outbox.open('kitchen');
    say('a1');
    say('a2');
    say('b1', 'kitchen');
    expect(keys()).toEqual(['a1', 'b1']);
    sending[0]?.resolve({ type: 'ack' });
    await settled();
    expect(keys()).toEqual(['a1', 'b1', 'a2']);
  });

  it('is kept while a message has to wait', async () => {
    outbox.open('general');
    say('a1');
    say('a2');
    await refuse('rate_limited', 800);
    clock.pass(799);
    expect(keys()).toEqual(['a1']);
    clock.pass(1);
    expect(keys()).toEqual(['a1', 'a1']);
    await ack();
    expect(keys()).toEqual(['a1', 'a1', 'a2']);
  });

  it('backs off if the server does not say for how long', async () => {
    outbox.open('general');
    say('a1');
    await refuse('unavailable');
    clock.pass(250);
    await refuse('unavailable');
    clock.pass(499);
    expect(keys()).toHaveLength(2);
    clock.pass(1);
    expect(keys()).toHaveLength(3);
  });
});

describe('a lost connection', () => {
  it('causes a repeat under the same key, after the room is joined', async () => {
    outbox.open('general');
    say('a1');
    outbox.closeAll();
    sending[0]?.reject(new ConnectionLost());
    await settled();
    clock.pass(60_000);
    expect(keys()).toEqual(['a1']);
    outbox.open('general');
    expect(keys()).toEqual(['a1', 'a1']);
    await ack();
    expect(outcomes).toEqual(['a1 sent']);
  });
});

describe('a refusal', () => {
  it('delays no other message, and waits for a decision', async () => {
    outbox.open('general');
    say('a1');
    say('a2');
    await refuse('conflict');
    await ack();
    expect(outcomes).toEqual(['a1 conflict', 'a2 sent']);
    outbox.retry('general', 'a1');
    expect(keys()).toEqual(['a1', 'a2', 'a1']);
    await refuse('conflict');
    outbox.discard('general', 'a1');
    expect(outbox.of('general')).toEqual([]);
    expect(shelf.kept.size).toBe(0);
  });
});

describe('a reload', () => {
  it('finds the unconfirmed messages in order, and the refused ones as refused', async () => {
    say('a1');
    say('a2');
    say('a3');
    outbox.open('general');
    await refuse('forbidden');
    outbox = open();
    expect(outbox.of('general').map(({ key, failure }) => [key, failure?.code])).toEqual([
      ['a1', 'forbidden'],
      ['a2', undefined],
      ['a3', undefined],
    ]);
    sending = [];
    outbox.open('general');
    expect(keys()).toEqual(['a2']);
  });

  it('finds no confirmed message', async () => {
    outbox.open('general');
    say('a1');
    await ack();
    expect(open().of('general')).toEqual([]);
  });
});

it('takes no more messages than it can keep', () => {
  for (let index = 0; index < 500; index += 1) say(`a${index}`);
  expect(say('one too many')).toBeUndefined();
  expect(say('b1', 'kitchen')).toBeDefined();
  expect(shelf.kept.size).toBe(501);
});

it('sends never sent messages as the new identity, and lets the user decide about the others', async () => {
  outbox.open('general');
  say('a1');
  say('a2');
  outbox.closeAll();
  sending[0]?.reject(new ConnectionLost());
  await settled();
  outbox = open();
  outbox.changeSender({ code: 'unauthenticated', message: 'somebody else' });
  expect(outcomes).toEqual(['a1 unauthenticated']);
  sending = [];
  outbox.open('general');
  expect(keys()).toEqual(['a2']);
});

it('says why a room accepts no messages, until it is joined', () => {
  say('a1');
  outbox.refuse('general', { code: 'forbidden', message: 'not yours' });
  say('a2');
  say('b1', 'kitchen');
  outbox.closeAll();
  expect(outcomes).toEqual(['a1 forbidden', 'a2 forbidden']);
  outbox.open('general');
  outbox.retry('general', 'a1');
  say('a3');
  expect(keys()).toEqual(['a1']);
});
