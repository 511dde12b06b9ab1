// The page and the server have one origin, as behind a proxy in production.
const server = process.env.HUBBUB ?? 'http://localhost:8000';

/** @type {import('vite').UserConfig} */
export default {
  server: { proxy: { '/ws': { target: server, ws: true }, '/api': server } },
};
