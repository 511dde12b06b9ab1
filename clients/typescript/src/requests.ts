/** Commands that wait for their answers, matched by `id`. It knows no connection: `send` is an argument. */
import type { Failure } from './connection.js';
import { type Ack, type Command, ERROR_CODES, type ErrorEvent, type HistoryPage } from './protocol.js';

/** A command's answer was an `error`. */
export class CommandRefused extends Error {
  readonly failure: Failure;
  /** Milliseconds before trying again, if the server says so. */
  readonly retryAfter: number | undefined;

  constructor(event: ErrorEvent) {
    super(event.message);
    this.name = 'CommandRefused';
    this.failure = failureOf(event);
    this.retryAfter = event.retry_after;
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

export type Answer = Ack | HistoryPage;

interface Pending {
  type: Answer['type'];
  resolve: (answer: Answer) => void;
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
  ask(command: Command, type: Answer['type']): Promise<Answer> {
    this.#lastId += 1;
    const id = String(this.#lastId);
    return new Promise((resolve, reject) => {
      if (this.#send({ ...command, id })) this.#pending.set(id, { type, resolve, reject });
      else reject(new ConnectionLost());
    });
  }

  /** Returns false if nobody waits for this answer. */
  settle(event: Answer | ErrorEvent): boolean {
    const pending = event.id === undefined ? undefined : this.#pending.get(event.id);
    if (pending === undefined || event.id === undefined) return false;
    this.#pending.delete(event.id);
    if (event.type === 'error') pending.reject(new CommandRefused(event));
    else if (event.type === pending.type) pending.resolve(event);
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
