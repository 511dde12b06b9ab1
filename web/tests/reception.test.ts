import { expect, it } from 'vitest';
import { HandClock, welcome, Wires } from '../../clients/typescript/tests/world';
import { knock } from '../src/models/reception';

const address = new URL('ws://host/chat/ws');

it('knows a visitor who is logged in to the host app', async () => {
  const network = new Wires();
  const reception = knock({ address, network, clock: new HandClock() });
  network.last.arrives({ ...welcome, name: 'Alice' });
  expect(await reception).toEqual({ account: { key: 'alice', name: 'Alice' }, refusal: null });
  expect(network.last.closedWith).toBe(1000);
});

it('lets a guest choose a name', async () => {
  const network = new Wires();
  const reception = knock({ address, network, clock: new HandClock() });
  network.last.arrives({ ...welcome, guest: true });
  expect(await reception).toEqual({ account: null, refusal: null });
});

it('says why nobody is admitted', async () => {
  const network = new Wires();
  const failure = { code: 'unauthenticated', message: 'log in first' } as const;
  network.probed = () => Promise.resolve({ status: 401, failure, retryAfter: null });
  const reception = knock({ address, network, clock: new HandClock() });
  network.last.breaks();
  expect(await reception).toEqual({ account: null, refusal: failure });
});

it('does not keep the visitor waiting for a server that is away', async () => {
  const network = new Wires();
  const reception = knock({ address, network, clock: new HandClock() });
  network.last.breaks();
  expect(await reception).toEqual({ account: null, refusal: null });
});
