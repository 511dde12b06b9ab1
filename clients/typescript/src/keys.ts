/** Keys are immutable addresses of users and rooms, unique without regard to case. */
const KEY = /^[A-Za-z0-9][A-Za-z0-9_.:@|-]{0,63}$/;

export function isKey(value: string): boolean {
  return KEY.test(value);
}

/** The form under which two spellings of one key are the same. */
export function fold(key: string): string {
  return key.toLowerCase();
}
