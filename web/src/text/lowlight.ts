/** Imported by itself, so that its lists of all languages stay out of the build. */
export { createLowlight } from 'lowlight';
