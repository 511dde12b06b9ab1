/** The words of the administrator's page. They are loaded with it, in all languages together. */
import type { Tag } from './language.svelte';
import { de } from './admin/de';
import { en, type AdminWords } from './admin/en';
import { es } from './admin/es';
import { zh } from './admin/zh';

export type { AdminWords };

export const ADMIN_WORDS: Record<Tag, AdminWords> = { en, de, es, 'zh-Hans': zh };
