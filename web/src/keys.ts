/** The keys that work everywhere on the page. They are listed here once, for the page and for its help. */

export type Action = 'switch' | 'previous' | 'next' | 'help';

export interface Shortcut {
  action: Action;
  /** As people read it. */
  keys: string;
  words: string;
}

const isMac = typeof navigator !== 'undefined' && /Mac|iPhone|iPad/.test(navigator.platform);

export const SHORTCUTS: readonly Shortcut[] = [
  { action: 'switch', keys: isMac ? '⌘ K' : 'Ctrl K', words: 'Go to a room or a person' },
  { action: 'previous', keys: 'Alt ↑', words: 'The room above' },
  { action: 'next', keys: 'Alt ↓', words: 'The room below' },
  { action: 'help', keys: '?', words: 'These keys' },
];

/** Keys that work in one place only. */
export const ELSEWHERE: readonly Omit<Shortcut, 'action'>[] = [
  { keys: 'Enter', words: 'Send the message' },
  { keys: 'Shift Enter', words: 'Begin a new line' },
  { keys: '↑', words: 'In an empty field: edit your last message' },
  { keys: 'Esc', words: 'Stop editing or replying; close a dialog' },
  { keys: '↑ ↓', words: 'In the conversation: from message to message' },
];

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
