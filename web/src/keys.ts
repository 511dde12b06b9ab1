/** The keys that work everywhere on the page. They are listed here once, for the page and for its help. */
import type { Words } from './words/en';

export type Action = 'switch' | 'previous' | 'next' | 'help';

export interface Shortcut {
  /** As people read it. */
  keys: string;
  action: string;
}

const isMac = typeof navigator !== 'undefined' && /Mac|iPhone|iPad/.test(navigator.platform);

/** Those that work everywhere first, then those of one place. */
export function shortcutsIn({ keys, rooms }: Words): readonly Shortcut[] {
  const { control, alt, shift, enter, escape } = keys.names;
  return [
    { keys: isMac ? '⌘ K' : `${control} K`, action: rooms.find },
    { keys: `${alt} ↑`, action: keys.previous },
    { keys: `${alt} ↓`, action: keys.next },
    { keys: '?', action: keys.help },
    { keys: enter, action: keys.send },
    { keys: `${shift} ${enter}`, action: keys.newLine },
    { keys: '@ # :', action: keys.complete },
    { keys: '↑', action: keys.editLast },
    { keys: escape, action: keys.cancel },
    { keys: '↑ ↓', action: keys.lines },
    { keys: '→', action: keys.roomMenu },
  ];
}

/** What a key asks for, or null. An open dialog has its own keys. */
export function actionOf(event: KeyboardEvent): Action | null {
  const { key, ctrlKey, metaKey, altKey, shiftKey, target } = event;
  if (event.isComposing || document.querySelector('dialog[open]') !== null) return null;
  if (key.toLowerCase() === 'k' && (isMac ? metaKey : ctrlKey) && !altKey && !shiftKey) return 'switch';
  if (ctrlKey || metaKey) return null;
  if (altKey && key === 'ArrowUp') return 'previous';
  if (altKey && key === 'ArrowDown') return 'next';
  const isTyping = target instanceof Element && target.matches('input, textarea');
  return key === '?' && !altKey && !isTyping ? 'help' : null;
}
