export { Backoff, type BackoffOptions } from './backoff.js';
export { Client, CommandRefused, ConnectionLost, type ClientOptions } from './client.js';
export { Connection, type Clock, type ConnectionOptions, type Network, type Probe } from './connection.js';
export type { Failure, Socket, State, StateName } from './connection.js';
export { fold, isKey } from './keys.js';
export { Position, type Verdict } from './position.js';
export type * from './protocol.js';
