import { CommandRefused, ConnectionLost, type ListQuery } from 'hubbub-client';
import { beforeEach, describe, expect, it } from 'vitest';
import { HandClock } from '../../clients/typescript/tests/world';
import { Listing, type Page } from '../src/models/listing.svelte';

let clock: HandClock;
let asked: ListQuery[];
let answer: (page: Page<string> | Error) => Promise<void>;
let listing: Listing<string>;

beforeEach(() => {
  clock = new HandClock();
  asked = [];
  const waiting: { resolve: (page: Page<string>) => void; reject: (error: Error) => void }[] = [];
  listing = new Listing((query) => {
    asked.push(query);
    return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
  }, clock);
  answer = async (page) => {
    const first = waiting.shift();
    if (page instanceof Error) first?.reject(page);
    else first?.resolve(page);
    await new Promise((resolve) => setTimeout(resolve));
  };
});

describe('a list of the server', () => {
  it('is read page by page, one at a time', async () => {
    listing.search('');
    clock.pass(0);
    listing.more();
    await answer({ items: ['a', 'b'], next: 'b' });
    listing.more();
    listing.more();
    await answer({ items: ['c'] });
    listing.more();

    expect(asked.map(({ after }) => after)).toEqual([undefined, 'b']);
    expect(listing.items).toEqual(['a', 'b', 'c']);
    expect(listing.hasMore).toBe(false);
  });

  it('asks once for what is typed without a pause, and drops outdated answers', async () => {
    listing.search('');
    clock.pass(0);
    listing.search('k');
    listing.search('ki');
    clock.pass(1_000);
    await answer({ items: ['everything'] });
    expect(listing.items).toEqual([]);
    expect(listing.isLoading).toBe(true);
    await answer({ items: ['kitchen'] });

    expect(asked.map(({ q }) => q)).toEqual([undefined, 'ki']);
    expect(listing.items).toEqual(['kitchen']);
  });

  it('says what is wrong, keeps what it has, and reads on after that', async () => {
    listing.search('');
    clock.pass(0);
    await answer({ items: ['a'], next: 'a' });
    listing.more();
    await answer(new ConnectionLost());
    expect(listing.trouble).toBe('failed');
    expect(listing.items).toEqual(['a']);

    listing.retry();
    await answer({ items: ['b'] });
    expect(listing.trouble).toBeNull();
    expect(listing.items).toEqual(['a', 'b']);
  });

  it('recognises a server that has no such list', async () => {
    listing.search('');
    clock.pass(0);
    await answer(new CommandRefused({ code: 'not_found', message: 'there is nothing here' }));
    expect(listing.trouble).toBe('unknown');
  });

  it('asks no more after it was stopped', async () => {
    listing.search('');
    listing.stop();
    clock.pass(1_000);
    expect(asked).toEqual([]);
  });
});
