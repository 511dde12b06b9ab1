import { describe, expect, it } from 'vitest';
import { Asking } from '../src/models/asking.svelte';
import { Refused } from '../src/models/refused';

const refusal = new Refused({ code: 'forbidden', message: 'no' });

describe('what the server is asked for', () => {
  it('is there with the answer', async () => {
    const asking = new Asking(() => Promise.resolve(['a']));
    const asked = asking.ask();
    expect([asking.value, asking.isBusy]).toEqual([null, true]);
    await asked;
    expect([asking.value, asking.isBusy, asking.failure]).toEqual([['a'], false, null]);
  });

  it('is asked again after a change', async () => {
    const items: string[] = [];
    const asking = new Asking(() => Promise.resolve([...items]));
    const done = await asking.change(() => Promise.resolve(items.push('b')));
    expect(done).toEqual({ made: 1 });
    expect(asking.value).toEqual(['b']);
  });

  it('stays as it was when a change is refused, and says why', async () => {
    const asking = new Asking(() => Promise.resolve('before'));
    await asking.ask();
    expect(await asking.change(() => Promise.reject(refusal))).toBeNull();
    expect([asking.value, asking.failure?.code, asking.isBusy]).toEqual(['before', 'forbidden', false]);
    await asking.ask();
    expect(asking.failure).toBeNull();
  });

  it('is never replaced by the answer to an earlier question', async () => {
    const answers: ((value: string) => void)[] = [];
    const asking = new Asking(() => new Promise<string>((resolve) => answers.push(resolve)));
    const [first, second] = [asking.ask(), asking.ask()];
    answers[1]?.('second');
    await second;
    answers[0]?.('first');
    await first;
    expect(asking.value).toBe('second');
  });

  it('does not hide a fault of the page', async () => {
    const asking = new Asking(() => Promise.reject(new TypeError('a fault')));
    await expect(asking.ask()).rejects.toThrow('a fault');
  });
});
