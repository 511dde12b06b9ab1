/** The keys that work everywhere on the page. Its help names them in components/page/shortcuts.ts. */

export type Action = 'switch' | 'previous' | 'next' | 'help';

export const isMac = typeof navigator !== 'undefined' && /Mac|iPhone|iPad/.test(navigator.platform);

/** What a key asks for, or null. An open dialog has its own keys. */
export function actionOf(event: KeyboardEvent): Action | null {
  if (event.isComposing) return null;
  const action = actionOfKey(event);
  // Last, because it looks through the whole document.
  return action !== null && document.querySelector('dialog[open]') === null ? action : null;
}

function actionOfKey({ key, ctrlKey, metaKey, altKey, shiftKey, target }: KeyboardEvent): Action | null {
  if (key.toLowerCase() === 'k' && (isMac ? metaKey : ctrlKey) && !altKey && !shiftKey) return 'switch';
  if (ctrlKey || metaKey) return null;
  if (altKey && key === 'ArrowUp') return 'previous';
  if (altKey && key === 'ArrowDown') return 'next';
  const isTyping = target instanceof Element && target.matches('input, textarea');
  return key === '?' && !altKey && !isTyping ? 'help' : null;
}
