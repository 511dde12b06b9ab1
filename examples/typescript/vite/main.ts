import { Client, type Event, RoomView, type State } from 'hubbub-client';
import { msgpack } from 'hubbub-client/msgpack';

const ROOM = 'general';
/** Milliseconds: the protocol's time after which a typing sign is forgotten, and after which it is repeated. */
const FORGOTTEN = 6_000;
const REPEATED = 3_000;

const status = find('[role=status]', HTMLElement);
const earlier = find('button[type=button]', HTMLButtonElement);
const list = find('ul', HTMLUListElement);
const typing = find('#typing', HTMLElement);
const form = find('form', HTMLFormElement);
const input = find('input', HTMLInputElement);

const view = new RoomView(ROOM);
const typists = new Map<string, number>();
const name = new URLSearchParams(location.search).get('name') ?? '';
const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
const client = new Client({
  address: `${scheme}//${location.host}/ws?username=${encodeURIComponent(name)}`,
  // The same guest after a reload.
  secret: () => sessionStorage.getItem('secret'),
  codec: msgpack,
  onState: showState,
  onEvent: receive,
});
client.join(ROOM);
client.open();

function receive(event: Event): void {
  if (event.type === 'welcome' && event.secret !== undefined) sessionStorage.setItem('secret', event.secret);
  if (event.type === 'error') status.textContent = event.message;
  if (event.type === 'typing' && event.user !== client.user) showTyping(event.name, event.active);
  if (event.type === 'message') showTyping(event.name, false);
  if (view.apply(event)) show();
}

function showState(state: State): void {
  if (state.name === 'refused' && state.failure.field === 'secret') {
    // It is of another server: come in as a new guest.
    sessionStorage.removeItem('secret');
    client.open();
    return;
  }
  status.textContent = state.name === 'refused' ? state.failure.message : state.name;
}

function show(): void {
  status.textContent = `Online: ${view.people.map((person) => person.name).join(', ')}`;
  earlier.hidden = !view.hasEarlier;
  list.replaceChildren(
    ...view.messages.map((message) => {
      const line = document.createElement('li');
      line.textContent = `${message.name}: ${message.deleted === undefined ? message.text : '(deleted)'}`;
      return line;
    }),
  );
}

function showTyping(who: string, active: boolean): void {
  clearTimeout(typists.get(who));
  if (active)
    typists.set(
      who,
      window.setTimeout(() => showTyping(who, false), FORGOTTEN),
    );
  else typists.delete(who);
  typing.textContent = typists.size === 0 ? '' : `${[...typists.keys()].join(', ')} …`;
}

let saidTyping = 0;
input.addEventListener('input', () => {
  if (Date.now() - saidTyping < REPEATED) return;
  if (client.typing(ROOM)) saidTyping = Date.now();
});

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const text = input.value;
  form.reset();
  saidTyping = 0;
  try {
    await client.send(ROOM, text);
  } catch (error) {
    status.textContent = String(error);
    input.value = text;
  }
});

earlier.addEventListener('click', async () => {
  view.page(await client.history(ROOM, { before: view.first }));
  show();
});

function find<Kind extends HTMLElement>(selector: string, kind: new () => Kind): Kind {
  const found = document.querySelector(selector);
  if (found instanceof kind) return found;
  throw new Error(`The page has no ${selector}.`);
}
