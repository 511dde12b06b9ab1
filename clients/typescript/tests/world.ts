/** Time and sockets that a test controls, so that no test waits. */
import { type Clock, type Codec, type Event, json, type Network, type Probe, type Socket } from 'hubbub-client';
import type { Command, Welcome } from 'hubbub-client';

export class HandClock implements Clock {
  #now = 1_000_000;
  #timers: { at: number; callback: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  after(milliseconds: number, callback: () => void): () => void {
    const timer = { at: this.#now + milliseconds, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  pass(milliseconds: number): void {
    const end = this.#now + milliseconds;
    for (;;) {
      const next = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((other) => other !== next);
      this.#now = next.at;
      next.callback();
    }
    this.#now = end;
  }
}

export class Wire implements Socket {
  binaryType = 'blob';
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onerror: (() => void) | null = null;
  readonly sent: Record<string, unknown>[] = [];
  closedWith: number | undefined;

  constructor(
    readonly address: string,
    readonly subprotocols: readonly string[],
    readonly codec: Codec,
  ) {}

  send(frame: string | ArrayBuffer): void {
    this.sent.push(this.codec.decode(frame) as unknown as Record<string, unknown>);
  }

  close(code?: number): void {
    this.closedWith = code;
  }

  arrives(event: Event): void {
    // Both directions have the same frames.
    this.arrivesAs(this.codec.encode(event as unknown as Command));
  }

  arrivesAs(data: unknown): void {
    this.onmessage?.({ data });
  }

  breaks(code = 1006, reason = ''): void {
    this.onclose?.({ code, reason });
  }
}

export class Wires implements Network {
  readonly opened: Wire[] = [];
  readonly probes: { address: string; headers: Record<string, string> }[] = [];
  probed: () => Promise<Probe> = () => Promise.reject(new Error('unreachable'));

  constructor(readonly codec: Codec = json) {}

  open(address: string, subprotocols: string[]): Wire {
    const wire = new Wire(address, subprotocols, this.codec);
    this.opened.push(wire);
    return wire;
  }

  probe(address: string, headers: Record<string, string>): Promise<Probe> {
    this.probes.push({ address, headers });
    return this.probed();
  }

  /** Says whether the device has a network; null if nobody listens. */
  online: ((isOnline: boolean) => void) | null = null;

  watch(changed: (isOnline: boolean) => void): () => void {
    this.online = changed;
    return () => {
      this.online = null;
    };
  }

  get last(): Wire {
    const wire = this.opened.at(-1);
    if (wire === undefined) throw new Error('Nothing was opened.');
    return wire;
  }
}

export const welcome: Welcome = {
  type: 'welcome',
  user: 'alice',
  name: 'alice',
  connection: 'c1',
  node: 'n1',
  epoch: 'e1',
  ts: '2026-11-20T09:30:00.123Z',
  heartbeat: 25_000,
  limits: { frame: 65_536, text: 4_000, unanswered: 64, rate: 10, burst: 30 },
};
