import type { MessageEvent, Unsent } from 'hubbub-client';
import { beforeEach, describe, expect, it } from 'vitest';
import { Messages } from '../src/models/messages.svelte';
import { KEPT, Timeline } from '../src/models/timeline.svelte';

const TS = '2026-11-20T09:30:00.123Z';
const AT = Date.parse(TS);

let messages: Messages;
let timeline: Timeline;

beforeEach(() => {
  const me = () => ({ user: 'alice', name: 'Alice' });
  messages = new Messages(me);
  timeline = new Timeline(messages, me);
});

const hello: Unsent = { room: 'general', key: 'key-0001', text: 'hello', at: AT };

function stored(first: number, last: number): MessageEvent[] {
  return Array.from({ length: last - first + 1 }, (_, index) => {
    const seq = first + index;
    return message(`no ${seq}`, { seq, rev: seq });
  });
}

const seqs = () => timeline.lines.map((line) => ('seq' in line ? line.seq : undefined));

function message(text: string, extra: Partial<MessageEvent> = {}): MessageEvent {
  return { type: 'message', room: 'general', user: 'bob', name: 'Bob', text, ts: TS, ...extra };
}

const bob = { user: 'bob', name: 'Bob' };
const carol = { user: 'carol', name: 'Carol' };
const users = (people: { user: string }[]) => people.map(({ user }) => user).join();

const words = () =>
  timeline.lines.map((line) => {
    switch (line.kind) {
      case 'said':
        return `${line.text} (${line.state})`;
      case 'announced':
        return line.text;
      case 'moved':
        return `+${users(line.came)} -${users(line.went)}`;
      case 'missed':
        return 'missed';
    }
  });

describe('a message', () => {
  it('is in the order of arrival in a room without numbers', () => {
    timeline.show(message('one'));
    timeline.show(message('two'));
    expect(words()).toEqual(['one (sent)', 'two (sent)']);
  });

  it('is in the order of the numbers, in whatever order it arrives', () => {
    for (const seq of [2, 4, 1, 3]) timeline.show(message(`no ${seq}`, { seq, rev: seq }));
    expect(words()).toEqual(['no 1 (sent)', 'no 2 (sent)', 'no 3 (sent)', 'no 4 (sent)']);
  });

  it('is shown once, in its latest version', () => {
    timeline.show(message('first words', { seq: 1, rev: 1 }));
    timeline.show(message('better words', { seq: 1, rev: 3 }));
    timeline.show(message('first words', { seq: 1, rev: 1 }));
    expect(words()).toEqual(['better words (sent)']);
  });

  it('is one message with or without its key, if it has the same number', () => {
    timeline.show(message('first words', { seq: 1, rev: 1, key: 'key-0001' }));
    timeline.show(message('better words', { seq: 1, rev: 2 }));
    expect(words()).toEqual(['better words (sent)']);
  });

  it.each([{ seqs: [1, 2] }, { seqs: [undefined, undefined] }])(
    'is two messages where one user has used a key twice (numbered $seqs)',
    ({ seqs: [first, second] }) => {
      timeline.show(message('of one bob', { seq: first, rev: first, key: 'key-0001' }));
      timeline.show(message('of another bob', { seq: second, rev: second, key: 'key-0001' }));
      expect(words()).toEqual(['of one bob (sent)', 'of another bob (sent)']);
      expect(new Set(timeline.lines.map(({ id }) => id)).size).toBe(2);
    },
  );

  it('may be edited and deleted', () => {
    timeline.show(message('first words', { seq: 1, rev: 1 }));
    const change = { type: 'changed', room: 'general', seq: 1, user: 'bob' } as const;
    messages.change({ ...change, rev: 2, text: 'better words', edited: TS });
    expect(timeline.lines[0]).toMatchObject({ text: 'better words', edited: true, deleted: false });
    messages.change({ ...change, rev: 3, deleted: TS });
    expect(timeline.lines[0]).toMatchObject({ text: '', deleted: true });
    timeline.show(message('first words', { seq: 1, rev: 1 }));
    expect(timeline.lines[0]).toMatchObject({ deleted: true });
  });

  it('may come from the server itself', () => {
    timeline.show(message('deployed', { kind: 'system' }));
    expect(timeline.lines[0]).toMatchObject({ kind: 'announced', text: 'deployed', at: AT });
  });

  it('does not fill the memory of a page that is never closed', () => {
    for (let i = 1; i <= KEPT + 200; i += 1) timeline.show(message(`no ${i}`));
    expect(timeline.lines).toHaveLength(KEPT);
    expect(words().at(-1)).toBe(`no ${KEPT + 200} (sent)`);
  });
});

describe('my message', () => {
  beforeEach(() => timeline.send(hello));

  const mine = (extra: Partial<MessageEvent> = {}) =>
    message('hello', { user: 'alice', name: 'Alice', key: 'key-0001', ...extra });

  it('is below messages that others sent before the server had it', () => {
    timeline.show(message('hi'));
    expect(words()).toEqual(['hi (sent)', 'hello (sending)']);
  });

  it('becomes the same line when its event comes', () => {
    const id = timeline.lines[0]?.id;
    timeline.show(mine());
    expect(words()).toEqual(['hello (sent)']);
    expect(timeline.lines[0]?.id).toBe(id);
  });

  it('is shown once, whichever comes first, ack or event', () => {
    timeline.confirm(hello, { type: 'ack', seq: 5, rev: 5, ts: TS });
    timeline.show(mine({ seq: 5, rev: 5 }));
    timeline.confirm(hello, { type: 'ack', seq: 5, rev: 5, ts: TS });
    expect(words()).toEqual(['hello (sent)']);
  });

  it('can fail and be tried again', () => {
    timeline.send({ ...hello, failure: { code: 'conflict', message: 'no' } });
    expect(timeline.lines).toMatchObject([{ state: 'failed', failure: { message: 'no' } }]);
    timeline.send(hello);
    expect(words()).toEqual(['hello (sending)']);
    timeline.discard(timeline.lines[0]?.id ?? '');
    expect(words()).toEqual([]);
  });

  it('keeps the acked line when the room starts over', () => {
    const id = timeline.lines[0]?.id;
    timeline.confirm(hello, { type: 'ack', seq: 5, rev: 5, ts: TS });
    timeline.startOver([mine({ seq: 5, rev: 5 })], 5);
    expect(timeline.lines.map((line) => line.id)).toEqual([id]);
  });

  it('takes one of two messages under its key', () => {
    timeline.startOver([mine({ seq: 4, rev: 4, text: 'of an earlier me' }), mine({ seq: 5, rev: 5 })], 5);
    expect(words()).toEqual(['of an earlier me (sent)', 'hello (sent)']);
    expect(new Set(timeline.lines.map(({ id }) => id)).size).toBe(2);
  });

  it("is not confirmed by another's message with the same key", () => {
    timeline.show(message('stolen', { key: 'key-0001' }));
    expect(words()).toEqual(['stolen (sent)', 'hello (sending)']);
  });
});

describe('a change', () => {
  const change = { type: 'changed', room: 'general', seq: 1, user: 'carol' } as const;

  beforeEach(() => {
    timeline.show(message('question', { seq: 1, rev: 1 }));
    const quote = { user: 'bob', name: 'Bob', text: 'question' };
    timeline.show(message('answer', { seq: 2, rev: 2, reply_to: 1, quote }));
  });

  it('shows reactions and pins', () => {
    messages.change({ ...change, rev: 3, reactions: [{ emoji: '👍', count: 1, users: ['carol'] }] });
    messages.change({ ...change, rev: 4, pinned: true });
    expect(timeline.lines[0]).toMatchObject({ pinned: true, reactions: [{ emoji: '👍' }] });
  });

  it('reaches the quotes of the message', () => {
    const quote = () => {
      const answer = messages.said(2);
      return answer && messages.quoteIn(answer);
    };
    messages.change({ ...change, rev: 3, text: 'better question', edited: TS });
    expect(quote()).toMatchObject({ text: 'better question' });
    messages.change({ ...change, rev: 4, deleted: TS });
    expect(quote()).toMatchObject({ text: '', deleted: true });
  });

  it('removes everything from a deleted message', () => {
    messages.change({ ...change, seq: 2, rev: 3, deleted: TS });
    expect(timeline.lines[1]).toMatchObject({ text: '', deleted: true, quote: undefined, replyTo: undefined });
  });
});

describe('the loaded part of the log', () => {
  beforeEach(() => timeline.startOver(stored(101, 150), 150));

  it('continues with new messages', () => {
    timeline.show(message('no 151', { seq: 151, rev: 151 }));
    expect(timeline.upTo).toBe(151);
    expect(timeline.hasOlder).toBe(true);
  });

  it('grows backwards to the beginning', () => {
    timeline.prepend(stored(51, 100), true);
    timeline.prepend(stored(1, 50), false);
    expect(seqs()).toEqual(stored(1, 150).map(({ seq }) => seq));
    expect(timeline.hasOlder).toBe(false);
  });

  it('takes no page that would leave a gap', () => {
    timeline.prepend(stored(41, 90), true);
    timeline.append(stored(161, 170), false);
    expect(seqs()).toEqual(stored(101, 150).map(({ seq }) => seq));
  });

  it('does not show a change of an older message', () => {
    timeline.show(message('old, but changed', { seq: 7, rev: 151 }));
    expect(timeline.from).toBe(101);
    expect(seqs()[0]).toBe(101);
  });

  it('drops the newest lines while the user reads the oldest, and fetches them again', () => {
    timeline.holdsStill = true;
    timeline.startOver(stored(1001, 1100), 1100);
    for (let first = 951; first > 600; first -= 50) timeline.prepend(stored(first, first + 49), true);
    expect(timeline.lines).toHaveLength(KEPT);
    expect(timeline.isBehind).toBe(true);
    timeline.show(message('no 1101', { seq: 1101, rev: 1101 }));
    expect(timeline.upTo).toBeLessThan(1100);
    while (timeline.isBehind) {
      const next = timeline.upTo + 1;
      timeline.append(stored(next, Math.min(next + 49, 1101)), next + 49 < 1101);
    }
    expect(timeline.upTo).toBe(1101);
    expect(timeline.lines).toHaveLength(KEPT);
  });

  it('stops growing while the user reads older lines', () => {
    timeline.holdsStill = true;
    for (const event of stored(151, 101 + KEPT)) timeline.show(event);
    expect(seqs()[0]).toBe(101);
    expect(timeline.isBehind).toBe(true);
  });

  it('hides my messages until the end is loaded', () => {
    timeline.startOver(stored(1, 50), 150);
    timeline.send(hello);
    expect(timeline.lines).toHaveLength(50);
    timeline.confirm(hello, { type: 'ack', seq: 151, rev: 151, ts: TS });
    expect(timeline.upTo).toBe(50);
  });

  it('drops messages that the room no longer stores', () => {
    timeline.trim(120);
    expect(seqs()[0]).toBe(121);
    expect(timeline.hasOlder).toBe(false);
  });
});

describe('joining and leaving', () => {
  it('is one line until somebody speaks', () => {
    timeline.came(bob, AT);
    timeline.came(carol, AT);
    timeline.show(message('hi'));
    timeline.went(carol, AT);
    expect(words()).toEqual(['+bob,carol -', 'hi (sent)', '+ -carol']);
  });

  it('treats two people with the same name as two', () => {
    timeline.came(bob, AT);
    timeline.went({ user: 'bob-x7k2', name: 'Bob' }, AT);
    expect(words()).toEqual(['+bob -bob-x7k2']);
  });

  it('shows no line when it cancels out', () => {
    timeline.went(bob, AT);
    timeline.came(bob, AT);
    expect(words()).toEqual([]);
  });
});

describe('starting over', () => {
  it('keeps only my unsent messages', () => {
    timeline.show(message('old', { seq: 1, rev: 1 }));
    timeline.send(hello);
    timeline.startOver([message('new', { seq: 900, rev: 2000 })], 900);
    expect(words()).toEqual(['new (sent)', 'hello (sending)']);
  });

  it('says once that something may be missing', () => {
    timeline.missed(AT);
    timeline.missed(AT);
    expect(words()).toEqual(['missed']);
  });
});
