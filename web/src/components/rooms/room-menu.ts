/** What can be done with a room of the list. */
import type { Opened } from '../../models/opened.svelte';
import type { Room } from '../../models/room.svelte';
import type { Rooms } from '../../models/rooms.svelte';
import { addressOf } from '../../models/route';
import type { Navigation } from '../../navigation.svelte';
import { words } from '../../words/language.svelte';
import type { MenuItem } from '../ui/MenuList.svelte';

interface Page {
  navigation: Navigation;
  rooms: Rooms;
  opened: Opened;
}

export function menuOf(room: Room, { navigation, rooms, opened }: Page): MenuItem[] {
  const isFavourite = rooms.isFavourite(room);
  const items: MenuItem[] = [
    {
      icon: 'star',
      label: isFavourite ? words().rooms.notFavourite : words().rooms.favourite,
      onPick: () => rooms.favour(room, !isFavourite),
    },
    { icon: 'link', label: words().actions.copyLink, onPick: () => void copyLink(room, navigation) },
    { icon: 'info', label: words().rooms.about, onPick: () => opened.open({ kind: 'about', room }) },
  ];
  // Nobody gives up a direct room.
  if (!room.isDirect)
    items.push({ icon: 'leave', label: words().rooms.leave, onPick: () => leave(room, rooms, opened) });
  return items;
}

/** Who leaves a private room is a member no more, and needs an invitation to come back. */
export function leave(room: Room, rooms: Rooms, opened: Opened): void {
  if (room.about.kind === 'private') opened.open({ kind: 'leave', room });
  else rooms.leave(room);
}

/** Where the page may not write to the clipboard, the address bar shows the link. */
async function copyLink(room: Room, navigation: Navigation): Promise<void> {
  try {
    await navigator.clipboard.writeText(new URL(addressOf(room.key), location.href).href);
  } catch {
    navigation.to(room.key);
  }
}
