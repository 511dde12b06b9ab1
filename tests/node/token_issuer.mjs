// Signs tokens with npm's jose, and shows its public keys: `PORT`. Each algorithm has one key; POST /rotate makes others.
import { createServer } from 'node:http';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose';

const [port] = process.argv.slice(2);
const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'];
let rotation = 0;
let pairs;

async function rotate() {
  rotation += 1;
  const made = ALGORITHMS.map(async (alg) => [alg, await generateKeyPair(alg, { extractable: true })]);
  pairs = Object.fromEntries(await Promise.all(made));
}

const kidOf = (alg) => `${alg}-${rotation}`;

async function keys() {
  const entries = Object.entries(pairs).map(async ([alg, { publicKey }]) => ({
    ...(await exportJWK(publicKey)),
    kid: kidOf(alg),
    alg,
    use: 'sig',
  }));
  return { keys: await Promise.all(entries) };
}

/** `secret` is a text for HS256, or `public key`: that of RS256, as an attacker would try. */
async function sign({ header, claims, secret }) {
  const text = secret === 'public key' ? await exportSPKI(pairs.RS256.publicKey) : secret;
  const key = text === undefined ? pairs[header.alg].privateKey : new TextEncoder().encode(text);
  const kid = text === undefined ? { kid: kidOf(header.alg) } : {};
  return new SignJWT(claims).setProtectedHeader({ ...kid, ...header }).setIssuedAt().setExpirationTime('10m').sign(key);
}

await rotate();
createServer(async (request, response) => {
  let body = '';
  for await (const part of request) body += part;
  if (request.url === '/rotate') await rotate();
  if (request.url === '/sign') response.end(await sign(JSON.parse(body)));
  else response.end(JSON.stringify(await keys()));
}).listen(Number(port), '127.0.0.1');
