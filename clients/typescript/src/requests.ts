/** Commands that wait for their answers, matched by `id`. It knows no connection: `send` is an argument. */
import type { Failure } from './connection.js';
import { type Ack, type Command, ERROR_CODES, type ErrorEvent, type Event, type HistoryPage } from './protocol.js';

/** A command's answer was an `error`. */
export class CommandRefused extends Error {
  readonly failure: Failure;
  /** Milliseconds before trying again, if the server says so. */
  readonly retryAfter: number | undefined;

  constructor(failure: Failure, retryAfter?: number) {
    super(failure.message);
    this.name = 'CommandRefused';
    this.failure = failure;
    this.retryAfter = retryAfter;
  }
}

/** What an `error` event says. */
export function failureOf({ code, message, errors }: ErrorEvent): Failure {
  const location: unknown = errors?.[0]?.['loc'];
  const field: unknown = Array.isArray(location) ? location[0] : undefined;
  return typeof field === 'string' ? { code, message, field } : { code, message };
}

/** Whether the same command may succeed later. A code that is not in the protocol is an application's refusal. */
export function mayRetry(code: string): boolean {
  return (ERROR_CODES as Partial<Record<string, { mayRetry: boolean }>>)[code]?.mayRetry === true;
}

/** The connection ended before the answer; it is unknown whether the command took effect. */
export class ConnectionLost extends Error {
  constructor() {
    super('The connection was lost before the server answered.');
    this.name = 'ConnectionLost';
  }
}

export type Answer = Exclude<Event, ErrorEvent>;

interface Pending {
  /** Undefined for the answer to a command that only the application knows. */
  type?: Answer['type'];
  resolve: (answer: never) => void;
  reject: (error: Error) => void;
}

export class Requests {
  readonly #send: (command: Command) => boolean;
  readonly #pending = new Map<string, Pending>();
  #lastId = 0;

  constructor(send: (command: Command) => boolean) {
    this.#send = send;
  }

  /** Rejects with CommandRefused or ConnectionLost. */
  ask(command: Command, type: 'ack'): Promise<Ack>;
  ask(command: Command, type: 'history'): Promise<HistoryPage>;
  ask<Reply>(command: Command, type?: Answer['type']): Promise<Reply>;
  ask(command: Command, type?: Answer['type']): Promise<unknown> {
    this.#lastId += 1;
    const id = String(this.#lastId);
    return new Promise((resolve, reject) => {
      if (this.#send({ ...command, id })) this.#pending.set(id, { type, resolve, reject });
      else reject(new ConnectionLost());
    });
  }

  /** Returns false if nobody waits for this answer. */
  settle(event: Event): boolean {
    const id = 'id' in event ? event.id : undefined;
    const pending = id === undefined ? undefined : this.#pending.get(id);
    if (pending === undefined || id === undefined) return false;
    this.#pending.delete(id);
    if (event.type === 'error') pending.reject(new CommandRefused(failureOf(event), event.retry_after));
    else if (event.type === (pending.type ?? event.type)) pending.resolve(event as never);
    else pending.reject(new Error(`A ${event.type} came where ${pending.type} was due.`));
    return true;
  }

  /** The connection is gone: no answer will come. */
  lose(): void {
    const lost = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of lost) reject(new ConnectionLost());
  }
}
