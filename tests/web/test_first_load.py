"""What a browser loads before the first message is on the screen: little, so that the page is there quickly."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from playwright.async_api import expect

from hubbub import Hubbub
from tests.conftest import PageFactory
from tests.servers import WebServer
from tests.web.pages import Enter, message, say

pytestmark = pytest.mark.anyio

BOUND = 61_150
"""Bytes, with the headers. What a new part of the page adds belongs into components/later.ts or a file of its own."""

LOADED = re.compile(r'<(?:script|link)[^>]* (?:src|href)="\./(assets/[^"]+)"')
IMPORTED = re.compile(r'(?:from|import)\s*"\./([^"]+)"')

# In the frame in which the first message is drawn, before anything is loaded for what comes later.
LOOK = """
(function look() {
  if (document.querySelector('[role=log] article') === null) return requestAnimationFrame(look);
  const links = [...document.querySelectorAll('link[href], script[src]')].map((element) => element.href || element.src);
  const loaded = performance.getEntriesByType('resource').map(({ name }) => name);
  window.firstDrawn = document.querySelectorAll('[role=log] article').length;
  window.firstLoad = [...new Set([...links, ...loaded])].map((address) => new URL(address).pathname);
})();
"""


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.include_router(Hubbub(guests="on").router)
    headers = {"Accept-Encoding": "br"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test", headers=headers) as client:
        yield client


async def sent_for(client: httpx.AsyncClient, path: str) -> int:
    async with client.stream("GET", path) as answer:
        assert answer.status_code == 200, path
        content = b"".join([part async for part in answer.aiter_raw()])
    # The status line, the date, and a line for each of the other headers.
    return len(content) + 60 + sum(len(name) + len(value) + 4 for name, value in answer.headers.raw)


async def first_load(client: httpx.AsyncClient) -> set[str]:
    """The page, its icon, what it names, and the scripts that these import at once."""
    files = set(LOADED.findall((await client.get("/", headers={"Accept-Encoding": "gzip"})).text))
    new = set(files)
    while new:
        scripts = [
            (await client.get(file, headers={"Accept-Encoding": "gzip"})).text for file in new if file.endswith("js")
        ]
        new = {f"assets/{name}" for script in scripts for name in IMPORTED.findall(script)} - files
        files |= new
    assert any(file.endswith(".js") for file in files)
    assert any(file.endswith(".css") for file in files)
    return files | {"", "icon.svg"}


async def test_the_first_load_is_small(client: httpx.AsyncClient) -> None:
    sent = {path: await sent_for(client, f"/{path}") for path in await first_load(client)}

    assert sum(sent.values()) <= BOUND, sent


async def test_nothing_else_is_loaded_before_the_first_message(enter: Enter, client: httpx.AsyncClient) -> None:
    alice = await enter("alice")
    await say(alice, "hello")
    await expect(message(alice, "hello")).to_be_visible()

    await alice.add_init_script(LOOK)
    await alice.reload()
    await alice.wait_for_function("() => window.firstLoad !== undefined")
    loaded = await alice.evaluate("firstLoad")

    known = {f"/{path}" for path in await first_load(client)} | {
        "/favicon.ico",
        "/icon-192.png",
        "/manifest.webmanifest",
    }
    assert set(loaded) <= known
    # What is needed after a click is there soon, without one.
    await alice.wait_for_function(
        "() => performance.getEntriesByType('resource').some(({ name }) => name.includes('/assets/later-'))"
    )


async def test_the_end_of_a_room_is_drawn_before_the_rest(
    enter: Enter, new_page: PageFactory, server: WebServer, room: str
) -> None:
    alice = await enter("alice")
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as poster:
        for number in range(60):
            answer = await poster.post(
                f"/api/v1/rooms/{room}/messages?username=Poster", json={"text": f"line {number}"}
            )
            assert answer.status_code == 201
    await expect(message(alice, "line 59")).to_be_visible()

    # He has seen nothing of the room earlier, which his browser would show first.
    bob = await new_page()
    await bob.add_init_script(LOOK)
    await bob.goto(f"{server.url}/#{room}")
    await bob.get_by_label("Your name").fill(f"Bob {room}")
    await bob.get_by_role("button", name="Start chatting").click()
    await bob.wait_for_function("() => document.querySelectorAll('[role=log] article').length >= 50")

    # More than a window shows, and less than the 50 that came.
    assert 20 <= await bob.evaluate("firstDrawn") < 50
    await expect(message(bob, "line 59")).to_be_in_viewport()
