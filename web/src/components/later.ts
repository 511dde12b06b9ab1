/**
 * Parts that are needed later than the first messages: loaded together, when the first of them is needed, or after the
 * first messages as soon as the browser has nothing better to do (see ../later.ts).
 */
import { completeEnglish } from '../words/language.svelte';
import { laterEn } from '../words/later-en';
import { addIcons } from './ui/Icon.svelte';
import { LATER } from './ui/later-icons';

completeEnglish(laterEn);
addIcons(LATER);

export { serverInfo } from './account/api';
export { default as ComposerContext } from './composer/ComposerContext.svelte';
export { default as Completions } from './composer/Completions.svelte';
export { default as MenuList } from './ui/MenuList.svelte';
export { default as Deletion } from './timeline/Deletion.svelte';
export { default as EmojiChoice } from './timeline/EmojiChoice.svelte';
export { default as EntryPage } from './account/EntryPage.svelte';
export { default as KeysList } from './page/KeysList.svelte';
export { default as Languages } from './page/Languages.svelte';
export { default as MessageActions } from './timeline/MessageActions.svelte';
export { default as JoinRoom } from './rooms/JoinRoom.svelte';
export { default as LanguageButton } from './page/LanguageButton.svelte';
export { default as ManagingDialog } from './managing/ManagingDialog.svelte';
export { default as MeBar } from './rooms/MeBar.svelte';
export { menuOf } from './rooms/room-menu';
export { default as Notices } from './page/Notices.svelte';
export { default as PeoplePanel } from './people/PeoplePanel.svelte';
export { default as TypingLine } from './composer/TypingLine.svelte';
export { default as PinnedBar } from './timeline/PinnedBar.svelte';
export { default as RoomBrowser } from './rooms/RoomBrowser.svelte';
export { default as Switcher } from './rooms/Switcher.svelte';
export { default as ToEnd } from './timeline/ToEnd.svelte';
export { sourcesOf } from '../models/choices';
export { Completing } from '../models/completing.svelte';
/** In a file of its own. */
export const managing = () => import('./managing');
