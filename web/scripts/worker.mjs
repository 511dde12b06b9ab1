// Writes sw.js beside the built page: the worker, with the names of this build's files.
import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import ts from 'typescript';

const PAGE = new URL('../../src/hubbub/http/page/', import.meta.url);

const source = await readFile(new URL('../worker/sw.ts', import.meta.url), 'utf8');
const index = await readFile(new URL('index.html', PAGE), 'utf8');
const files = (await readdir(new URL('assets/', PAGE))).sort().map((name) => `assets/${name}`);
const entry = files.find((file) => index.includes(`src="./${file}"`));
if (entry === undefined) throw new Error('index.html loads none of the built scripts.');

const version = createHash('sha256')
  .update(JSON.stringify([source, index, files]))
  .digest('hex')
  .slice(0, 12);
const { outputText } = ts.transpileModule(source, {
  compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext, removeComments: true },
});
const build = JSON.stringify({ version, entry, files });
await writeFile(new URL('sw.js', PAGE), `const BUILD = ${build};\n${outputText}`);
