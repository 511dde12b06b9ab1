import type { MessageEvent } from 'hubbub-client';
import { beforeEach, describe, expect, it } from 'vitest';
import { Timeline } from '../src/models/timeline.svelte';

const TS = '2026-11-20T09:30:00.123Z';
const AT = Date.parse(TS);

let timeline: Timeline;

beforeEach(() => {
  timeline = new Timeline();
});

function message(text: string, extra: Partial<MessageEvent> = {}): MessageEvent {
  return { type: 'message', room: 'general', user: 'bob', name: 'Bob', text, ts: TS, ...extra };
}

const words = () =>
  timeline.lines.map((line) => {
    switch (line.kind) {
      case 'said':
        return `${line.text} (${line.state})`;
      case 'announced':
        return line.text;
      case 'moved':
        return `+${line.came.join()} -${line.went.join()}`;
      case 'missed':
        return 'missed';
    }
  });

describe('what is said', () => {
  it('stands in the order of its arrival where nothing is numbered', () => {
    timeline.show(message('one'));
    timeline.show(message('two'));
    expect(words()).toEqual(['one (sent)', 'two (sent)']);
  });

  it('stands in the order of its numbers, however it arrives', () => {
    for (const seq of [2, 4, 1, 3]) timeline.show(message(`no ${seq}`, { seq, rev: seq }));
    expect(words()).toEqual(['no 1 (sent)', 'no 2 (sent)', 'no 3 (sent)', 'no 4 (sent)']);
  });

  it('stands once, in its latest version', () => {
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

  it('may be edited and deleted', () => {
    timeline.show(message('first words', { seq: 1, rev: 1 }));
    const change = { type: 'changed', room: 'general', seq: 1, user: 'bob' } as const;
    timeline.change({ ...change, rev: 2, text: 'better words', edited: TS });
    expect(timeline.lines[0]).toMatchObject({ text: 'better words', edited: true, deleted: false });
    timeline.change({ ...change, rev: 3, deleted: TS });
    expect(timeline.lines[0]).toMatchObject({ text: '', deleted: true });
    timeline.show(message('first words', { seq: 1, rev: 1 }));
    expect(timeline.lines[0]).toMatchObject({ deleted: true });
  });

  it('may come from the server itself', () => {
    timeline.show(message('deployed', { kind: 'system' }));
    expect(timeline.lines[0]).toMatchObject({ kind: 'announced', text: 'deployed', at: AT });
  });

  it('does not fill the memory of a page that is never closed', () => {
    for (let i = 1; i <= 1200; i += 1) timeline.show(message(`no ${i}`));
    expect(timeline.lines).toHaveLength(1000);
    expect(words().at(-1)).toBe('no 1200 (sent)');
  });
});

describe('what I say', () => {
  beforeEach(() => timeline.send('alice', 'Alice', 'hello', 'key-0001', AT));

  const mine = (extra: Partial<MessageEvent> = {}) =>
    message('hello', { user: 'alice', name: 'Alice', key: 'key-0001', ...extra });

  it('stands below what others said before the server had it', () => {
    timeline.show(message('hi'));
    expect(words()).toEqual(['hi (sent)', 'hello (sending)']);
  });

  it('becomes the same line when its event comes', () => {
    const id = timeline.lines[0]?.id;
    timeline.show(mine());
    expect(words()).toEqual(['hello (sent)']);
    expect(timeline.lines[0]?.id).toBe(id);
  });

  it('stands once whichever comes first, ack or event', () => {
    timeline.confirm('alice', 'key-0001', { type: 'ack', seq: 5, rev: 5, ts: TS });
    timeline.show(mine({ seq: 5, rev: 5 }));
    timeline.confirm('alice', 'key-0001', { type: 'ack', seq: 5, rev: 5, ts: TS });
    expect(words()).toEqual(['hello (sent)']);
  });

  it('can fail and be tried again', () => {
    timeline.fail('alice', 'key-0001');
    expect(words()).toEqual(['hello (failed)']);
    timeline.send('alice', 'Alice', 'hello', 'key-0001', AT);
    expect(words()).toEqual(['hello (sending)']);
  });

  it("is not confirmed by another's message with the same key", () => {
    timeline.show(message('stolen', { key: 'key-0001' }));
    expect(words()).toEqual(['stolen (sent)', 'hello (sending)']);
  });
});

describe('coming and going', () => {
  it('is one line until somebody speaks', () => {
    timeline.came('Bob', AT);
    timeline.came('Carol', AT);
    timeline.show(message('hi'));
    timeline.went('Carol', AT);
    expect(words()).toEqual(['+Bob,Carol -', 'hi (sent)', '+ -Carol']);
  });

  it('is not worth a word when it cancels out', () => {
    timeline.went('Bob', AT);
    timeline.came('Bob', AT);
    expect(words()).toEqual([]);
  });
});

describe('starting over', () => {
  it('keeps nothing of before but what I have not got rid of yet', () => {
    timeline.show(message('old', { seq: 1, rev: 1 }));
    timeline.send('alice', 'Alice', 'hello', 'key-0001', AT);
    timeline.startOver([message('new', { seq: 900, rev: 2000 })]);
    expect(words()).toEqual(['new (sent)', 'hello (sending)']);
  });

  it('says once that something may be missing', () => {
    timeline.missed(AT);
    timeline.missed(AT);
    expect(words()).toEqual(['missed']);
  });
});
