/** The keys as the page's help names them. What they do: ../../keys.ts for those that work everywhere, and the parts of the page. */
import { isMac } from '../../keys';
import type { Words } from '../../words/en';

export interface Shortcut {
  /** As people read it. */
  keys: string;
  action: string;
}

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
