"""The pages in examples/typescript, with the packed TypeScript client, a real server and a real browser."""

import asyncio
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.client.node_program import node_program
from tests.client.npm import MODULES, node
from tests.conftest import PageFactory, ServerFactory
from tests.people import person
from tests.ports import free_port
from tests.servers import REPOSITORY

pytestmark = pytest.mark.slow(4)

PAGES = REPOSITORY / "examples/typescript"
VITE = MODULES / "vite/bin/vite.js"


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def files_served(folder: Path) -> Iterator[str]:
    """As `python -m http.server` does. Gives their origin."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


async def say(page: Page, text: str) -> None:
    await page.get_by_label("Message").fill(text)
    await page.keyboard.press("Enter")


@pytest.mark.slow(8)
async def test_a_plain_page_and_one_of_vite_chat_also_after_a_kill(
    folder: Path, outside: Path, serve: ServerFactory, new_page: PageFactory
) -> None:
    for name in ("plain", "vite"):
        shutil.copytree(PAGES / name, folder / name)
    (folder / "plain/node_modules").symlink_to(outside / "node_modules")
    port = free_port()
    with files_served(folder / "plain") as origin:
        server = serve(environment={"HUBBUB_ALLOWED_ORIGINS": json.dumps([origin])})
        await asyncio.to_thread(node, str(VITE), "build", cwd=folder / "vite")
        options = ("--host", "127.0.0.1", "--port", str(port), "--strictPort")
        async with node_program(
            VITE, "preview", *options, cwd=folder / "vite", variables={"HUBBUB": server.url}
        ) as preview:
            await preview.prints(str(port))
            alice, bob = await new_page(), await new_page()
            await alice.goto(f"{origin}/?name=alice&server={server.ws_url}")
            await say(alice, "<b>hello</b>")
            await bob.goto(f"http://127.0.0.1:{port}/?name=bob")
            await expect(bob.get_by_role("listitem")).to_have_text("alice: <b>hello</b>")
            for page in (alice, bob):
                await expect(page.get_by_role("status")).to_have_text("Online: alice, bob")

            async with person(server, "carol") as carol:
                await carol.join("general")
                await carol.send({"type": "typing", "room": "general"})
                await expect(bob.locator("#typing")).to_have_text("carol …")
                await bob.get_by_label("Message").press("h")
                await carol.expect("typing", user="bob")

            server.kill()
            server.start()
            await say(bob, "still here")
            await expect(alice.get_by_role("listitem").last).to_have_text("bob: still here")
            await bob.reload()
            for page in (alice, bob):
                await expect(page.get_by_role("listitem").last).to_have_text("bob: still here")
                await expect(page.get_by_role("status")).to_contain_text("alice, bob")
