// Generates the client's types from the wire's JSON Schema, which is generated from the server's models.
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { compile } from 'json-schema-to-typescript';

const SCHEMA = new URL('../../conformance/schema.json', import.meta.url);
export const TYPES = new URL('../../clients/typescript/src/protocol.ts', import.meta.url);

const BANNER = `/**
 * Every frame of the wire protocol. Generated from conformance/schema.json by \`npm run types\` in web/;
 * edits here are overwritten.
 */`;

/** The schema's root only holds the definitions: no frame has its shape. */
const ROOT = /export interface HubbubWireProtocol\w+ \{\s*(\[k: string\]: unknown;\s*)?\}\n/;
/** The generator repeats each type's name in a comment. */
const ORIGIN_NOTE =
  /( \*\n)? \* This interface was referenced by `\w+`'s JSON-Schema\n \* via the `definition` "\w+"\.\n/g;

export async function generate() {
  const { 'x-error-codes': errors, 'x-close-codes': closes, ...wire } = JSON.parse(await readFile(SCHEMA, 'utf8'));
  const schema = simplified(wire);
  const source = await compile(schema, 'Wire', {
    additionalProperties: false,
    bannerComment: BANNER,
    ignoreMinAndMaxItems: true,
    style: { printWidth: 120, singleQuote: true },
    unreachableDefinitions: true,
  });
  const types = source
    .replace(ROOT, '')
    .replace(ORIGIN_NOTE, '')
    .replace(/\/\*\*\s*\*\/\n/g, '');
  return (
    types +
    table('ERROR_CODES', 'Record<ErrorCode, { mayRetry: boolean }>', errors, ({ mayRetry }) => ({ mayRetry })) +
    table(
      'CLOSE_CODES',
      'Record<number, { reconnect: boolean; afterAWhile: boolean }>',
      closes,
      ({ reconnect, afterAWhile }) => ({ reconnect, afterAWhile }),
    )
  );
}

/** What the codes mean for a client that must decide whether to try again. */
function table(name, type, codes, row) {
  const rows = Object.entries(codes).map(([code, meaning]) => {
    const fields = Object.entries(row(meaning)).map(([field, value]) => `${field}: ${value}`);
    return `  /** ${meaning.meaning} */\n  ${code}: { ${fields.join(', ')} },\n`;
  });
  return `\nexport const ${name}: ${type} = {\n${rows.join('')}};\n`;
}

/**
 * A field without a value is left out of a frame, never sent as null, so no type says "or null". Unknown fields are
 * ignored, so no type allows them: that would allow misspelt ones too.
 */
function simplified(node) {
  if (Array.isArray(node)) return node.map(simplified);
  if (node === null || typeof node !== 'object') return node;
  const { anyOf, ...rest } = node;
  if (rest.properties !== undefined) delete rest.additionalProperties;
  const plain = Object.fromEntries(Object.entries(rest).map(([name, value]) => [name, simplified(value)]));
  const kinds = anyOf?.filter(({ type }) => type !== 'null').map(simplified);
  if (kinds === undefined) return plain;
  return kinds.length === 1 ? { ...plain, ...kinds[0] } : { ...plain, anyOf: kinds };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await writeFile(TYPES, await generate());
}
