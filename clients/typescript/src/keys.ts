/** Keys of users and rooms are immutable addresses, unique without regard to case; a message's makes a repeat harmless. */
const KEY = /^[A-Za-z0-9][A-Za-z0-9_.:@|-]{0,63}$/;

export function isKey(value: string): boolean {
  return KEY.test(value);
}

/**
 * An idempotency key: 64 random bits, after the time, so that the server's index of keys grows at its end only.
 * `crypto.randomUUID` would exist on secure origins only.
 */
export function newKey(now: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  const random = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return now.toString(16) + random;
}

/** The form under which two spellings of one key are the same. */
export function fold(key: string): string {
  return key.toLowerCase();
}
