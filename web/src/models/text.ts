/** What a text shows. */

export interface Me {
  user: string;
  name: string;
  isGuest?: boolean;
  /** Of this server. */
  isAdmin?: boolean;
}

/** Unicode's own list of characters that show nothing, and Braille's pattern without dots. */
const INVISIBLE = /[\p{Default_Ignorable_Code_Point}\u2800]/gu;

export function withoutInvisible(text: string): string {
  return text.replace(INVISIBLE, '');
}

/** Whether a text shows nothing. */
export function isBlank(text: string): boolean {
  return withoutInvisible(text).trim() === '';
}
