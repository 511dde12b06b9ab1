/** What any component may need, without passing it through those above it. */
import { createContext } from 'svelte';
import type { Navigation } from './navigation.svelte';

export const [useNavigation, provideNavigation] = createContext<Navigation>();
