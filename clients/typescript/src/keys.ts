/** Keys of users and rooms never change, and are unique without regard to case. A message's key makes a repeat safe. */
const KEY = /^[A-Za-z0-9][A-Za-z0-9_.:@|-]{0,63}$/;

export function isKey(value: string): boolean {
  return KEY.test(value);
}

/**
 * An idempotency key: the time, then 64 random bits, so that the server's index of keys grows only at its end.
 * `crypto.randomUUID` exists only on secure origins.
 */
export function newKey(now: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  const random = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return now.toString(16) + random;
}

/** The form in which all spellings of one key are equal. */
export function fold(key: string): string {
  return key.toLowerCase();
}
