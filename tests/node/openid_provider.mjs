// An OpenID provider at which everybody may log in under any name: `PORT REDIRECT_URI…`.
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const [port, ...redirects] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const people = new Map();

const provider = new Provider(issuer, {
  clients: [{ client_id: 'hubbub', client_secret: 'canary-client-secret', redirect_uris: redirects }],
  claims: { openid: ['sub'], profile: ['name', 'preferred_username'] },
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_, { uid }) => `/people/${uid}` },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...people.get(id) }) }),
  async loadExistingGrant({ oidc }) {
    const { client, session, provider } = oidc;
    const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope('openid profile');
    await grant.save();
    return grant;
  },
});

const FORM = `<!doctype html><title>Provider</title><form method="post">
<label>Subject <input name="subject"></label><label>Username <input name="username"></label>
<label>Name <input name="name"></label><button name="do" value="enter">Enter</button>
<button name="do" value="refuse">Refuse</button></form>`;

const answer = provider.callback();
createServer(async (request, response) => {
  if (!request.url.startsWith('/people/')) return answer(request, response);
  if (request.method === 'GET') return response.setHeader('Content-Type', 'text/html').end(FORM);
  let body = '';
  for await (const part of request) body += part;
  const { subject, username, name, do: wish } = Object.fromEntries(new URLSearchParams(body));
  if (wish === 'refuse') return provider.interactionFinished(request, response, { error: 'access_denied' });
  people.set(subject, { ...(username && { preferred_username: username }), ...(name && { name }) });
  await provider.interactionFinished(request, response, { login: { accountId: subject } });
}).listen(Number(port), '127.0.0.1');
