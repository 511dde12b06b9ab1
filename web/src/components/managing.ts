/**
 * Large dialogs that only some people open: one's settings, the administrator's page, rooms and their people. They share
 * one file: with several, the bundler would cut the first load into pieces, which are larger together.
 */
export { default as AdminDialog } from './admin/AdminDialog.svelte';
export { default as Managing } from './managing/Managing.svelte';
export { default as Members } from './managing/Members.svelte';
export { default as WritingRule } from './managing/WritingRule.svelte';
export { default as SettingsDialog } from './settings/SettingsDialog.svelte';
