"""A page of another site, in a browser that is logged in here: it gets nothing, and changes nothing."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from playwright.async_api import Page

from tests.conftest import PageFactory
from tests.servers import WebServer, hubbub_server, watched

pytestmark = pytest.mark.anyio

SENT = "sent by another site"
LOG_IN = """async () => {
    const account = {username: 'victim', password: 'correct horse battery'};
    const headers = {'Hubbub-CSRF': '1', 'Content-Type': 'application/json'};
    return (await fetch('/api/v1/accounts', {method: 'POST', headers, body: JSON.stringify(account)})).status;
}"""
STATUS = "async address => (await fetch(address, {credentials: 'include'})).status"
READ = """async address => {
    try { return await (await fetch(address, {credentials: 'include'})).text(); } catch { return null; }
}"""
WRITE = """async ([address, body, headers]) => {
    const options = {method: 'POST', credentials: 'include', mode: headers ? 'cors' : 'no-cors', headers, body};
    try { const answer = await fetch(address, options); return [answer.type, answer.status]; } catch { return null; }
}"""
CONNECT = """address => new Promise(resolve => {
    const socket = new WebSocket(address);
    socket.onopen = () => resolve('open');
    socket.onmessage = () => resolve('message');
    socket.onclose = () => resolve('closed');
})"""
SUBMIT = """([address, enctype, name, value]) => new Promise(resolve => {
    const frame = document.createElement('iframe');
    frame.name = 'target';
    const form = document.createElement('form');
    Object.assign(form, {method: 'post', action: address, enctype, target: 'target'});
    const field = document.createElement('input');
    Object.assign(field, {name, value});
    form.append(field);
    document.body.append(frame, form);
    frame.onload = () => { frame.remove(); form.remove(); resolve(); };
    form.submit();
})"""
LOAD = """([tag, address]) => new Promise(resolve => {
    const before = Object.keys(window).length;
    const element = document.createElement(tag);
    element.onload = () => resolve(['load', Object.keys(window).length - before, element.naturalWidth ?? 0]);
    element.onerror = () => resolve(['error', Object.keys(window).length - before, 0]);
    element.src = address;
    document.body.append(element);
})"""
FRAME = """address => new Promise(resolve => {
    const frame = document.createElement('iframe');
    frame.onload = () => resolve(frame.contentDocument === null ? 'closed' : 'open');
    frame.src = address;
    document.body.append(frame);
})"""
OPEN = """async address => {
    const opened = open(address);
    // Until it has loaded, it shows this site's own empty page.
    for (;;) {
        try { void opened.document; } catch { return opened.length; }
        await new Promise(resolve => setTimeout(resolve, 20));
    }
}"""


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    environment = {"HUBBUB_SIGN_UP": "open", "HUBBUB_ALLOWED_HOSTS": '["chat.test"]'}
    yield from watched(hubbub_server(tmp_path_factory.mktemp("chat"), environment=environment))


@pytest.fixture(scope="module")
def evil() -> Iterator[str]:
    """The address of a server of another site, which answers everything with an empty page."""

    class Empty(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>Evil</title><body>")

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Empty) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://evil.test:{server.server_port}/"
        server.shutdown()


@asynccontextmanager
async def visited(chat: WebServer, evil: str, new_page: PageFactory) -> AsyncIterator[tuple[Page, Page, str]]:
    """The victim's page, logged in; the other site's page in the same browser; and the address of the chat."""
    home = f"http://chat.test:{chat.port}"
    victim = await new_page()
    await victim.goto(f"{home}/health/live")
    assert await victim.evaluate(LOG_IN) in {201, 409}
    attacker = await victim.context.new_page()
    await attacker.goto(evil)
    yield victim, attacker, home


async def test_another_site_reads_writes_and_opens_nothing_in_a_visitors_name(
    chat: WebServer, evil: str, new_page: PageFactory
) -> None:
    async with visited(chat, evil, new_page) as (victim, attacker, home):
        api, socket = f"{home}/api/v1", f"ws://chat.test:{chat.port}/ws"
        messages = f"{api}/rooms/general/messages"
        reads = [f"{api}/me", f"{api}/sessions", f"{api}/rooms", messages, f"{home}/ws"]

        # What the victim's own page may do; then the same by the other site.
        assert '"victim"' in await victim.evaluate(READ, reads[0])
        assert await victim.evaluate(CONNECT, socket) in {"open", "message"}
        mine = ['{"text": "my own"}', {"Hubbub-CSRF": "1", "Content-Type": "application/json"}]
        assert await victim.evaluate(WRITE, [messages, *mine]) == ["basic", 201]

        for address in reads:
            said = await attacker.evaluate(READ, address)
            assert said is None or ("victim" not in said and "my own" not in said), (address, said)
        assert await attacker.evaluate(CONNECT, socket) == "closed"
        assert await attacker.evaluate(CONNECT, f"{socket}/chat/general") == "closed"
        body = f'{{"text": "{SENT}"}}'
        for address in (messages, f"{api}/rooms", f"{home}/notify/orders", f"{api}/invitations", f"{api}/tickets"):
            await attacker.evaluate(WRITE, [address, body, None])
            assert await attacker.evaluate(WRITE, [address, *mine]) in (None, ["cors", 403])
            for enctype in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
                await attacker.evaluate(SUBMIT, [address, enctype, '{"text": "' + SENT + '", "x": "', '"}'])

        said = await victim.evaluate(READ, messages)
        assert "my own" in said
        assert SENT not in said
        assert SENT not in await victim.evaluate(READ, f"{api}/rooms")
        assert await victim.evaluate(READ, f"{api}/invitations") in ("[]", None) or "url" not in said


async def test_another_site_embeds_nothing_and_holds_no_window(
    chat: WebServer, evil: str, new_page: PageFactory
) -> None:
    async with visited(chat, evil, new_page) as (_, attacker, home):
        for address in (f"{home}/api/v1/me", f"{home}/api/v1/rooms/general/messages"):
            for tag in ("script", "img"):
                kind, new_names, width = await attacker.evaluate(LOAD, [tag, address])
                assert (new_names, width) == (0, 0), (tag, address, kind)
        for path in ("/", "/api/v1/me"):
            assert await attacker.evaluate(FRAME, home + path) == "closed"
        frames = {frame.url for frame in attacker.frames[1:]}
        assert not [url for url in frames if url == f"{home}/"], frames
        assert await attacker.evaluate(OPEN, f"{home}/") == 0


async def test_a_name_that_comes_to_mean_this_machine_opens_nothing(
    chat: WebServer, evil: str, new_page: PageFactory
) -> None:
    """DNS rebinding: the browser takes the chat's server for the other site's own."""
    page = await new_page()
    rebound = f"evil.test:{chat.port}"
    for path in ("/", "/api/v1/rooms", "/health/live", "/schema.json"):
        answer = await page.goto(f"http://{rebound}{path}")
        assert answer is not None
        assert answer.status == 403
    # The page that says so is of that name too.
    assert await page.evaluate(STATUS, f"http://{rebound}/api/v1/rooms/general/messages") == 403
    assert await page.evaluate(WRITE, [f"http://{rebound}/notify/orders", '{"title": "x"}', {}]) == ["basic", 403]
    for path in ("/ws?username=eve", "/ws/chat/general?username=eve"):
        assert await page.evaluate(CONNECT, f"ws://{rebound}{path}") == "closed"
