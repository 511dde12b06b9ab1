// Puts a compressed copy beside each file of the built page, so that no request waits for a compression.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const PAGE = new URL('../../src/hubbub/http/page/', import.meta.url);
const COMPRESSIBLE = /\.(css|html|ico|js|svg|webmanifest)$/;

for (const name of await readdir(PAGE, { recursive: true })) {
  if (!COMPRESSIBLE.test(name)) continue;
  const file = new URL(name.replaceAll('\\', '/'), PAGE);
  const content = await readFile(file);
  const copies = {
    br: brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: content.length } }),
    gz: gzipSync(content, { level: 9 }),
  };
  for (const [ending, copy] of Object.entries(copies)) {
    if (copy.length < content.length) await writeFile(new URL(`${file.href}.${ending}`), copy);
  }
}
