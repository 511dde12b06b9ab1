/**
 * The order in which rooms are listed: favourites above the others, direct ones below, each section by name or by
 * activity.
 */

export const ORDERS = ['name', 'activity'] as const;

export type Order = (typeof ORDERS)[number];

export interface Entry {
  readonly name: string;
  /** When something was last said there; 0 if that is not known. */
  readonly activeAt: number;
  readonly isDirect?: boolean;
}

export interface Section<Room> {
  kind: 'favourites' | 'rooms' | 'direct';
  rooms: readonly Room[];
}

const names = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' });

/** The sections that have rooms. */
export function sectionsOf<Room extends Entry>(
  rooms: readonly Room[],
  order: Order,
  isFavourite: (room: Room) => boolean,
  activeAt: (room: Room) => number = (room) => room.activeAt,
): Section<Room>[] {
  const byName = rooms.toSorted((a, b) => names.compare(a.name, b.name));
  // Sorting is stable, so rooms in which nothing was said stay in the order of their names.
  const sorted = order === 'name' ? byName : byName.sort((a, b) => activeAt(b) - activeAt(a));
  const sections: Section<Room>[] = [
    { kind: 'favourites', rooms: sorted.filter(isFavourite) },
    { kind: 'rooms', rooms: sorted.filter((room) => !isFavourite(room) && room.isDirect !== true) },
    { kind: 'direct', rooms: sorted.filter((room) => !isFavourite(room) && room.isDirect === true) },
  ];
  return sections.filter((section) => section.rooms.length > 0);
}
