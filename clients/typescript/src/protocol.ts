/**
 * Every frame of the wire protocol. Made from conformance/schema.json by `npm run types` in web/;
 * edits here are overwritten.
 */

export type Command = SendMessage | Join | Leave | Typing | Ping | Pong;
/**
 * `error.code`. An error never closes the connection; only a close code does.
 */
export type ErrorCode =
  | 'invalid'
  | 'unknown_type'
  | 'unauthenticated'
  | 'forbidden'
  | 'not_found'
  | 'conflict'
  | 'rate_limited'
  | 'too_large'
  | 'unavailable'
  | 'internal';
export type Event =
  | Welcome
  | Joined
  | MessageEvent
  | JoinEvent
  | LeaveEvent
  | Online
  | TypingEvent
  | Ack
  | PongEvent
  | PingEvent
  | Draining
  | ErrorEvent;

/**
 * The command is done. In a room that stores messages: and durable.
 */
export interface Ack {
  type: 'ack';
  id?: string;
  room?: string;
  seq?: number;
  rev?: number;
  ts?: string;
  [k: string]: unknown;
}
/**
 * Say something in a room. Answered by `ack`.
 */
export interface SendMessage {
  type: 'message';
  id?: string;
  room: string;
  text: string;
  key?: string;
  /**
   * The application's own object, at most 4 KB as JSON.
   */
  data?: {
    [k: string]: unknown;
  };
  [k: string]: unknown;
}
/**
 * Follow rooms on this connection. Answered by one `joined` for each room.
 */
export interface Join {
  type: 'join';
  id?: string;
  room?: string;
  /**
   * @minItems 1
   * @maxItems 100
   */
  rooms?: RoomPosition[];
  rev?: number;
  epoch?: string;
  /**
   * How many of the latest messages to begin with.
   */
  limit?: number;
  [k: string]: unknown;
}
/**
 * A room, and up to where this client knows it.
 */
export interface RoomPosition {
  room: string;
  rev?: number;
  epoch?: string;
  [k: string]: unknown;
}
/**
 * Stop following a room on this connection. Answered by `ack`.
 */
export interface Leave {
  type: 'leave';
  id?: string;
  room: string;
  [k: string]: unknown;
}
/**
 * This user began (or ended) typing in a room. Expires by itself after 6 s. Not answered without an `id`.
 */
export interface Typing {
  type: 'typing';
  id?: string;
  room: string;
  active?: boolean;
  [k: string]: unknown;
}
/**
 * Is the server there? Answered by `pong`.
 */
export interface Ping {
  type: 'ping';
  id?: string;
  [k: string]: unknown;
}
/**
 * An answer to the server's `ping`; allowed, never needed.
 */
export interface Pong {
  type: 'pong';
  id?: string;
  [k: string]: unknown;
}
/**
 * The server is about to close this connection: come back in `reconnect_in`, which differs for each client.
 */
export interface Draining {
  type: 'draining';
  /**
   * Milliseconds.
   */
  reconnect_in: number;
  [k: string]: unknown;
}
/**
 * What a client did cannot be done. The connection lives.
 */
export interface ErrorEvent {
  type: 'error';
  id?: string;
  /**
   * The `type` of the command that failed.
   */
  command?: string;
  room?: string;
  code: ErrorCode;
  message: string;
  /**
   * Milliseconds until a repeat may succeed.
   */
  retry_after?: number;
  /**
   * For `invalid`: `loc`, `msg`, `type` of each field.
   */
  errors?: {
    [k: string]: unknown;
  }[];
  [k: string]: unknown;
}
/**
 * The first event of every connection: who you are here, and what the server expects.
 */
export interface Welcome {
  type: 'welcome';
  user: string;
  name: string;
  guest?: boolean;
  /**
   * For guests: present it (`?secret=`) to come back as the same guest.
   */
  secret?: string;
  connection: string;
  node: string;
  epoch: string;
  ts: string;
  /**
   * Milliseconds between the server's pings.
   */
  heartbeat: number;
  limits: Limits;
  rev?: number;
  rooms?: RoomState[];
  /**
   * On /ws/chat/{room}: the room that is being joined.
   */
  room?: string;
  online?: number;
  [k: string]: unknown;
}
/**
 * What this server allows, so that a client can stay within it.
 */
export interface Limits {
  /**
   * Bytes in one frame from the client.
   */
  frame: number;
  /**
   * Code points in one text.
   */
  text: number;
  /**
   * Commands without an answer, per connection.
   */
  unanswered: number;
  /**
   * Commands per second, per connection, in the long run.
   */
  rate: number;
  /**
   * Commands at once.
   */
  burst: number;
  [k: string]: unknown;
}
/**
 * One of my rooms, in `welcome`.
 */
export interface RoomState {
  room: string;
  name: string;
  [k: string]: unknown;
}
/**
 * The answer to `join`: a room as it is now. `recovered: false` means: forget what you knew, and begin here.
 */
export interface Joined {
  type: 'joined';
  id?: string;
  room: string;
  name: string;
  online: number;
  /**
   * At most 100 of those online.
   */
  users: OnlineUser[];
  epoch: string;
  seq?: number;
  rev?: number;
  since?: number;
  floor?: number;
  messages?: MessageEvent[];
  recovered: boolean;
  [k: string]: unknown;
}
export interface OnlineUser {
  user: string;
  name: string;
  guest?: boolean;
  [k: string]: unknown;
}
/**
 * Somebody said something. In rooms that store nothing there is no `seq` and no `rev`.
 */
export interface MessageEvent {
  type: 'message';
  room: string;
  seq?: number;
  rev?: number;
  user: string;
  name: string;
  kind?: 'text' | 'system';
  text: string;
  ts: string;
  key?: string;
  data?: {
    [k: string]: unknown;
  };
  [k: string]: unknown;
}
/**
 * A user's first connection to this room.
 */
export interface JoinEvent {
  type: 'join';
  room: string;
  user: string;
  name: string;
  guest?: boolean;
  online: number;
  [k: string]: unknown;
}
/**
 * A user's last connection to this room is gone.
 */
export interface LeaveEvent {
  type: 'leave';
  room: string;
  user: string;
  name: string;
  online: number;
  [k: string]: unknown;
}
/**
 * Instead of `join` and `leave` where many are online: how many, at most once a second.
 */
export interface Online {
  type: 'online';
  room: string;
  online: number;
  [k: string]: unknown;
}
/**
 * Somebody types, or no longer does. Forget it after 6 s.
 */
export interface TypingEvent {
  type: 'typing';
  room: string;
  user: string;
  name: string;
  active: boolean;
  [k: string]: unknown;
}
/**
 * The answer to `ping`.
 */
export interface PongEvent {
  type: 'pong';
  id?: string;
  ts: string;
  [k: string]: unknown;
}
/**
 * Lets a browser, which cannot see RFC 6455 pings, notice a dead server. Needs no answer.
 */
export interface PingEvent {
  type: 'ping';
  ts: string;
  [k: string]: unknown;
}
