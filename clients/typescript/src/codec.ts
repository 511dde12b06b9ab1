import type { Command, Event } from './protocol.js';

/** How commands and events become frames, and back. */
export interface Codec {
  /** The client offers it, and the server selects it. It never selects the ones that hold credentials. */
  readonly subprotocol: string;
  encode(command: Command): string | ArrayBuffer;
  /** Undefined for a frame of another codec. */
  decode(frame: unknown): Event | undefined;
}

export const json: Codec = {
  subprotocol: 'hubbub.v1.json',
  encode: (command) => JSON.stringify(command),
  decode: (frame) => (typeof frame === 'string' ? (JSON.parse(frame) as Event) : undefined),
};
