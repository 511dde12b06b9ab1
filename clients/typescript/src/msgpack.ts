/** MessagePack, for those who want smaller frames than JSON's. Only this module needs the package @msgpack/msgpack. */
import { Decoder, Encoder } from '@msgpack/msgpack';
import type { Codec } from './codec.js';
import type { Event } from './protocol.js';

// JSON leaves out a field without a value as well.
const encoder = new Encoder({ ignoreUndefined: true });
const decoder = new Decoder();

export const msgpack: Codec = {
  subprotocol: 'hubbub.v1.msgpack',
  encode: (command) => encoder.encode(command).buffer,
  decode: (frame) => (frame instanceof ArrayBuffer ? (decoder.decode(frame) as Event) : undefined),
};
