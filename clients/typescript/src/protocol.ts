/**
 * Every frame of the wire protocol. Generated from conformance/schema.json by `npm run types` in web/;
 * edits here are overwritten.
 */

export type Command =
  | SendMessage
  | Edit
  | Delete
  | React
  | Pin
  | Join
  | Leave
  | History
  | Typing
  | Create
  | Direct
  | ChangeRoom
  | Invite
  | Remove
  | LeaveRoom
  | SetRole
  | Kick
  | Mute
  | Ban
  | Report
  | Follow
  | Unfollow
  | Ping
  | Pong
  | Auth;
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
  | ChangedEvent
  | RoomEvent
  | Removed
  | Invited
  | ReportEvent
  | Sync
  | HistoryPage
  | JoinEvent
  | LeaveEvent
  | Online
  | TypingEvent
  | Following
  | NotificationEvent
  | Ack
  | PongEvent
  | PingEvent
  | Draining
  | ErrorEvent;
/**
 * Not for guests.
 */
export type Role = 'guest' | 'member' | 'admin';
/**
 * What somebody is on this server. What somebody is in a room is another matter.
 */
export type Role1 = 'guest' | 'member' | 'admin';

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
  /**
   * For `auth`: when the identity ends now.
   */
  expires?: string;
}
/**
 * Go on with a newer token of the same user, before the one expires by which the user is here.
 */
export interface Auth {
  type: 'auth';
  id?: string;
  token: string;
}
/**
 * Keep a user out of a room. Answered by `ack`.
 */
export interface Ban {
  type: 'ban';
  id?: string;
  until?: string;
  on?: boolean;
  room: string;
  user: string;
}
/**
 * Change what is said about a room. Answered by `ack`.
 */
export interface ChangeRoom {
  type: 'change_room';
  id?: string;
  room: string;
  title?: string;
  description?: string;
  /**
   * Nothing more is said in an archived room.
   */
  archived?: boolean;
  /**
   * Seconds between two messages of one user.
   */
  slow?: number;
}
/**
 * A message is no longer what it was: what is there replaces what was.
 */
export interface ChangedEvent {
  type: 'changed';
  room: string;
  seq: number;
  rev: number;
  /**
   * Who changed it.
   */
  user: string;
  text?: string;
  edited?: string;
  /**
   * Text, data, reactions, reply and pin are gone.
   */
  deleted?: string;
  pinned?: boolean;
  reactions?: Reaction[];
}
export interface Reaction {
  emoji: string;
  count: number;
  /**
   * Some of those who reacted, the first ones first.
   */
  users: string[];
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
  reply_to?: number;
  /**
   * The application's own object, at most 4 KB as JSON.
   */
  data?: {
    [k: string]: unknown;
  };
}
/**
 * Give one's own message another text. Answered by `ack`.
 */
export interface Edit {
  type: 'edit';
  id?: string;
  room: string;
  seq: number;
  text: string;
}
/**
 * Take a message back: its text, its edits and its reactions are gone for good. Answered by `ack`.
 */
export interface Delete {
  type: 'delete';
  id?: string;
  room: string;
  seq: number;
}
/**
 * Put an emoji under a message, or take it away again. Answered by `ack`.
 */
export interface React {
  type: 'react';
  id?: string;
  room: string;
  seq: number;
  emoji: string;
  on?: boolean;
}
/**
 * Pin a message for everybody in the room, or unpin it. Answered by `ack`.
 */
export interface Pin {
  type: 'pin';
  id?: string;
  room: string;
  seq: number;
  on?: boolean;
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
}
/**
 * A room, and up to where this client knows it.
 */
export interface RoomPosition {
  room: string;
  rev?: number;
  epoch?: string;
}
/**
 * Stop following a room on this connection. Answered by `ack`.
 */
export interface Leave {
  type: 'leave';
  id?: string;
  room: string;
}
/**
 * A page of messages: before, after or around a `seq`, the pinned ones, or the latest. Answered by `history`.
 */
export interface History {
  type: 'history';
  id?: string;
  room: string;
  before?: number;
  after?: number;
  around?: number;
  pinned?: boolean;
  limit?: number;
}
/**
 * This user began (or ended) typing in a room. Expires by itself after 6 s. Not answered without an `id`.
 */
export interface Typing {
  type: 'typing';
  id?: string;
  room: string;
  active?: boolean;
}
/**
 * Make a room, and join it on this connection. Answered by `joined`.
 */
export interface Create {
  type: 'create';
  id?: string;
  kind: 'public' | 'private';
  /**
   * The key of a public room. The server makes those of private ones.
   */
  room?: string;
  title?: string;
  /**
   * Who is invited to a private room.
   *
   * @maxItems 100
   */
  users?: string[];
  /**
   * A repeat under the same key finds the room of the first time.
   */
  key?: string;
}
/**
 * Find or make the direct room of oneself and these users, and join it. Answered by `joined`.
 */
export interface Direct {
  type: 'direct';
  id?: string;
  /**
   * @minItems 1
   * @maxItems 7
   */
  users: string[];
}
/**
 * Make a user a member of a private room. Answered by `ack`.
 */
export interface Invite {
  type: 'invite';
  id?: string;
  room: string;
  user: string;
}
/**
 * Take a member out of a private room. Answered by `ack`.
 */
export interface Remove {
  type: 'remove';
  id?: string;
  room: string;
  user: string;
}
/**
 * Give up one's membership of a room. `leave` only stops following it. Answered by `ack`.
 */
export interface LeaveRoom {
  type: 'leave_room';
  id?: string;
  room: string;
}
/**
 * Give a user another role in a room. Who makes somebody the owner is a moderator afterwards. Answered by `ack`.
 */
export interface SetRole {
  type: 'set_role';
  id?: string;
  room: string;
  user: string;
  role: 'owner' | 'moderator' | 'member';
}
/**
 * Take a user's connections out of a public room; they may join again. Answered by `ack`.
 */
export interface Kick {
  type: 'kick';
  id?: string;
  room: string;
  user: string;
}
/**
 * Let a user read in a room, but not write. Answered by `ack`.
 */
export interface Mute {
  type: 'mute';
  id?: string;
  until?: string;
  on?: boolean;
  room: string;
  user: string;
}
/**
 * Tell those who moderate the room of a message. Answered by `ack`.
 */
export interface Report {
  type: 'report';
  id?: string;
  room: string;
  seq: number;
  reason: string;
}
/**
 * Be told what is published to a topic, or below a pattern such as `orders.*`. Answered by `following`.
 */
export interface Follow {
  type: 'follow';
  id?: string;
  topic: string;
}
/**
 * No longer be told. Answered by `ack`.
 */
export interface Unfollow {
  type: 'unfollow';
  id?: string;
  topic: string;
}
/**
 * Is the server there? Answered by `pong`.
 */
export interface Ping {
  type: 'ping';
  id?: string;
}
/**
 * An answer to the server's `ping`; allowed, never needed.
 */
export interface Pong {
  type: 'pong';
  id?: string;
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
  code: ErrorCode | string;
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
   * For guests: proves on a later connection that it is the same guest.
   */
  secret?: string;
  role?: Role;
  /**
   * The colour that you have chosen, as `#rrggbb`.
   */
  color?: string;
  /**
   * When the identity ends, unless `auth` renews it: then 4401.
   */
  expires?: string;
  connection: string;
  node: string;
  epoch: string;
  ts: string;
  /**
   * Milliseconds between the server's pings.
   */
  heartbeat: number;
  limits: Limits;
  /**
   * On /ws/chat/{room}: the room that is being joined.
   */
  room?: string;
  online?: number;
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
}
/**
 * The answer to `join`: a room as it is now. `recovered: false` means: forget what you knew, and begin here.
 */
export interface Joined {
  type: 'joined';
  id?: string;
  kind?: 'public' | 'private' | 'direct';
  title?: string;
  description?: string;
  archived?: boolean;
  slow?: number;
  room: string;
  name: string;
  online: number;
  /**
   * All who are online, up to 100; of more, the 20 who came first.
   */
  users: OnlineUser[];
  epoch: string;
  seq?: number;
  rev?: number;
  since?: number;
  floor?: number;
  messages?: MessageEvent[];
  /**
   * The colours that authors of these messages have chosen, by their keys.
   */
  colors?: {
    [k: string]: string;
  };
  recovered: boolean;
  /**
   * What the user is in this room.
   */
  role?: 'owner' | 'moderator' | 'member' | 'guest' | 'nobody';
  /**
   * Everybody in a direct room.
   */
  members?: RoomMember[];
}
export interface OnlineUser {
  user: string;
  name: string;
  guest?: boolean;
  /**
   * The colour that the user has chosen, as `#rrggbb`.
   */
  color?: string;
}
/**
 * Somebody said something. In rooms that store nothing there is no `seq` and no `rev`.
 *
 * A deleted message stays as a row that says so, with an empty text.
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
  /**
   * The `seq` of the message that this one answers.
   */
  reply_to?: number;
  quote?: Quote;
  data?: {
    [k: string]: unknown;
  };
  /**
   * When it was last edited.
   */
  edited?: string;
  /**
   * When it was deleted.
   */
  deleted?: string;
  pinned?: boolean;
  reactions?: Reaction[];
}
/**
 * The message that another one replies to, as it was when this was read.
 */
export interface Quote {
  user: string;
  name: string;
  /**
   * Its beginning.
   */
  text: string;
  deleted?: boolean;
}
/**
 * What somebody is in a room.
 */
export interface RoomMember {
  user: string;
  name: string;
  guest?: boolean;
  role?: 'owner' | 'moderator' | 'member' | 'guest' | 'nobody';
  /**
   * Until when. `for_ever` if there is no end; absent if not muted.
   */
  muted?: string;
  /**
   * Until when, in the same way.
   */
  banned?: string;
  /**
   * The colour that the user has chosen, as `#rrggbb`.
   */
  color?: string;
}
/**
 * Something of the room itself changed: what is said about it, or who is what in it.
 */
export interface RoomEvent {
  type: 'room';
  kind?: 'public' | 'private' | 'direct';
  title?: string;
  description?: string;
  archived?: boolean;
  slow?: number;
  room: string;
  rev: number;
  /**
   * Who changed it.
   */
  by?: string;
  /**
   * Those who are something else from now on.
   */
  members?: MemberChange[];
  /**
   * Messages up to this `seq` are gone.
   */
  floor?: number;
}
/**
 * What somebody is in a room from now on.
 */
export interface MemberChange {
  user: string;
  name: string;
  guest?: boolean;
  role?: 'owner' | 'moderator' | 'member' | 'guest' | 'nobody';
  /**
   * Until when. `for_ever` if there is no end; absent if not muted.
   */
  muted?: string;
  /**
   * Until when, in the same way.
   */
  banned?: string;
  /**
   * Why their connections are no longer in the room.
   */
  out?: 'removed' | 'kicked' | 'banned' | 'left';
}
/**
 * This connection is no longer in the room, and gets nothing more of it.
 */
export interface Removed {
  type: 'removed';
  room: string;
  reason: 'removed' | 'kicked' | 'banned' | 'left';
}
/**
 * The user is a member of a room from now on.
 */
export interface Invited {
  type: 'invited';
  room: string;
  kind: 'public' | 'private' | 'direct';
  title?: string;
  by: string;
}
/**
 * Somebody has reported a message, or the report was closed, or opened again. For those who may read it.
 */
export interface ReportEvent {
  type: 'report';
  /**
   * The report's, as in `GET /api/v1/reports`.
   */
  id: string;
  room: string;
  seq: number;
  state: 'open' | 'closed';
}
/**
 * All rows that changed in (since, rev], whole: put each in by its `seq`, where its `rev` is the higher one.
 */
export interface Sync {
  type: 'sync';
  kind?: 'public' | 'private' | 'direct';
  title?: string;
  description?: string;
  archived?: boolean;
  slow?: number;
  room: string;
  since: number;
  rev: number;
  floor: number;
  /**
   * Who wrote these messages.
   */
  users: OnlineUser[];
  messages: MessageEvent[];
}
/**
 * The answer to `history`: messages in the order of their `seq`.
 */
export interface HistoryPage {
  type: 'history';
  id?: string;
  room: string;
  rev: number;
  /**
   * Who wrote these messages.
   */
  users: OnlineUser[];
  messages: MessageEvent[];
  /**
   * Whether there are more in the direction that was asked for.
   */
  more: boolean;
}
/**
 * A user's first connection to this room, or another name or colour of somebody who is there.
 */
export interface JoinEvent {
  type: 'join';
  room: string;
  user: string;
  name: string;
  guest?: boolean;
  color?: string;
  online: number;
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
}
/**
 * Instead of `join` and `leave` where many are online: how many, at most once a second.
 */
export interface Online {
  type: 'online';
  room: string;
  online: number;
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
}
/**
 * The answer to `follow`.
 */
export interface Following {
  type: 'following';
  id?: string;
  topic: string;
}
/**
 * A program has published something to a topic that this connection follows.
 */
export interface NotificationEvent {
  type: 'notification';
  topic: string;
  title: string;
  message?: string;
  level?: 'info' | 'success' | 'warning' | 'error';
  data?: {
    [k: string]: unknown;
  };
  ts: string;
}
/**
 * The answer to `ping`.
 */
export interface PongEvent {
  type: 'pong';
  id?: string;
  ts: string;
}
/**
 * Lets a browser, which cannot see RFC 6455 pings, notice a dead server. Needs no answer.
 */
export interface PingEvent {
  type: 'ping';
  ts: string;
}
/**
 * A room in a list.
 */
export interface ListedRoom {
  room: string;
  name: string;
  title?: string;
  /**
   * Absent for public rooms.
   */
  kind?: 'private' | 'direct';
  archived?: boolean;
  /**
   * What the user is there, in a private or direct room.
   */
  role?: 'owner' | 'moderator' | 'member' | 'guest' | 'nobody';
  /**
   * Everybody in a direct room, online or not.
   */
  users?: OnlineUser[];
  /**
   * Absent while the other nodes cannot be asked.
   */
  online?: number;
}
/**
 * The people who have a role in a room, or are muted or banned, by name. `GET /api/v1/rooms/{room}/members`.
 */
export interface MembersPage {
  room: string;
  kind: 'public' | 'private' | 'direct';
  title?: string;
  description?: string;
  archived?: boolean;
  slow?: number;
  /**
   * The latest change that the page contains. Absent if there was none.
   */
  rev?: number;
  members: RoomMember[];
  /**
   * Where the next page begins. Absent on the last one.
   */
  next?: string;
}
/**
 * Users who are online in a room, by their names. `GET /api/v1/rooms/{room}/online`.
 */
export interface OnlinePage {
  room: string;
  online: number;
  users: OnlineUser[];
  /**
   * Where the next page begins. Absent on the last one.
   */
  next?: string;
}
/**
 * Rooms that the user may join, by their keys. `GET /api/v1/rooms`.
 */
export interface RoomsPage {
  rooms: ListedRoom[];
  /**
   * Where the next page begins. Absent on the last one.
   */
  next?: string;
}

export const ERROR_CODES: Record<ErrorCode, { mayRetry: boolean }> = {
  /** A field is missing, of the wrong type or out of range; `errors` names it. */
  invalid: { mayRetry: false },
  /** No command has this `type`. */
  unknown_type: { mayRetry: false },
  /** No identity, or one that is not valid any more. */
  unauthenticated: { mayRetry: false },
  /** This user may not do this here. */
  forbidden: { mayRetry: false },
  /** There is no such room, message, user or topic. */
  not_found: { mayRetry: false },
  /** The name is taken, or the key was used with another content. */
  conflict: { mayRetry: false },
  /** Too many; repeat after `retry_after` milliseconds. */
  rate_limited: { mayRetry: true },
  /** Over a documented size. */
  too_large: { mayRetry: false },
  /** It cannot be done now; repeat it as it is, later. */
  unavailable: { mayRetry: true },
  /** The server's own fault; its log says more. */
  internal: { mayRetry: true },
};

export const CLOSE_CODES: Record<number, { reconnect: boolean; afterAWhile: boolean }> = {
  /** Done. */
  1000: { reconnect: false, afterAWhile: false },
  /** The client or the server goes away. */
  1001: { reconnect: true, afterAWhile: false },
  /** A frame that RFC 6455 does not allow. */
  1002: { reconnect: false, afterAWhile: false },
  /** Never sent: the link ended without a close frame. */
  1006: { reconnect: true, afterAWhile: false },
  /** A text frame that is not UTF-8. */
  1007: { reconnect: false, afterAWhile: false },
  /** The limits were broken again and again. */
  1008: { reconnect: true, afterAWhile: true },
  /** A frame over the size limit. */
  1009: { reconnect: false, afterAWhile: false },
  /** The server's own fault. */
  1011: { reconnect: true, afterAWhile: false },
  /** The server restarts. */
  1012: { reconnect: true, afterAWhile: false },
  /** The server is too busy. */
  1013: { reconnect: true, afterAWhile: false },
  /** The identity expired or was revoked; log in first. */
  4401: { reconnect: false, afterAWhile: false },
  /** Banned, or no longer allowed here. */
  4403: { reconnect: false, afterAWhile: false },
  /** No frame of any kind for two heartbeats. */
  4408: { reconnect: true, afterAWhile: false },
};
