import { svelte } from '@sveltejs/vite-plugin-svelte';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

const SERVER = 'http://localhost:8000';

export default defineConfig({
  // The page may be under any prefix of a host app.
  base: './',
  plugins: [svelte()],
  resolve: {
    alias: {
      'hubbub-client/msgpack': path('../clients/typescript/src/msgpack.ts'),
      'hubbub-client': path('../clients/typescript/src/index.ts'),
      '@msgpack/msgpack': path('node_modules/@msgpack/msgpack'),
    },
  },
  build: {
    outDir: path('../src/hubbub/http/page'),
    emptyOutDir: true,
    // The first versions with `light-dark()`.
    target: ['chrome123', 'firefox120', 'safari17.5'],
    // All of these preload modules by themselves.
    modulePreload: { polyfill: false },
    // A data: address in the style sheet would need a looser Content-Security-Policy.
    assetsInlineLimit: 0,
  },
  server: {
    fs: { allow: [path('.'), path('../clients')] },
    proxy: { '/ws': { target: SERVER, ws: true } },
  },
  test: {
    environment: 'node',
    dir: path('..'),
    include: ['web/tests/**/*.test.ts', 'clients/typescript/tests/**/*.test.ts'],
  },
});
