/** What any component may need, without passing it through those above it. */
import { createContext } from 'svelte';
import type { Client } from 'hubbub-client';
import type { Blocked } from './models/blocked.svelte';
import type { Chosen } from './models/chosen.svelte';
import type { Colours } from './models/colours.svelte';
import type { Identity } from './models/identity.svelte';
import type { Link } from './models/link.svelte';
import type { Notices } from './models/notices.svelte';
import type { Account } from './models/reception';
import type { Opened } from './models/opened.svelte';
import type { Room } from './models/room.svelte';
import type { Rooms } from './models/rooms.svelte';
import type { Session } from './models/session.svelte';
import type { Theme } from './models/theme.svelte';
import type { Navigation } from './navigation.svelte';
import type { Language } from './words/language.svelte';

export const [useNavigation, provideNavigation] = createContext<Navigation>();
export const [useTheme, provideTheme] = createContext<Theme>();
export const [useLanguage, provideLanguage] = createContext<Language>();
/** Ends the session: the page goes on as this account, or asks who the user is. */
export const [useExit, provideExit] = createContext<(account?: Account) => void>();

export const [useLink, provideLink] = createContext<Link>();
export const [useRooms, provideRooms] = createContext<Rooms>();
export const [useMe, provideMe] = createContext<Identity>();
export const [useNotices, provideNotices] = createContext<Notices>();
export const [useClient, provideClient] = createContext<Client>();
export const [useBlocked, provideBlocked] = createContext<Blocked>();
export const [useOpened, provideOpened] = createContext<Opened>();
export const [useColours, provideColours] = createContext<Colours>();

/** The room of a conversation, and the message in it at which the user points. */
export const [useRoom, provideRoom] = createContext<Room>();
export const [useChosen, provideChosen] = createContext<Chosen>();

export function provideSession({ link, rooms, me, notices, client, blocked, opened, colours }: Session): void {
  provideLink(link);
  provideRooms(rooms);
  provideMe(me);
  provideNotices(notices);
  provideClient(client);
  provideBlocked(blocked);
  provideOpened(opened);
  provideColours(colours);
}
