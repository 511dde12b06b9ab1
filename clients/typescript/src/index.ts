export { Backoff, type BackoffOptions } from './backoff.js';
export { Client, type ClientOptions, type Place } from './client.js';
export { Connection, type Clock, type ConnectionOptions, type Network, type Probe } from './connection.js';
export type { Failure, Socket, State, StateName } from './connection.js';
export { fold, isKey, newKey } from './keys.js';
export { Outbox, type OutboxOptions, type OutboxStore, type Unsent } from './outbox.js';
export { Position, type Verdict } from './position.js';
export type * from './protocol.js';
export { CommandRefused, ConnectionLost, failureOf } from './requests.js';
