"""The page opens while the server does not answer, says so, and shows what was seen last."""

import re
import shutil
from pathlib import Path

import anyio
import httpx
import pytest
from playwright.async_api import Page, expect

from hubbub.http.page import DIRECTORY
from tests.conftest import PageFactory, UvicornFactory
from tests.servers import WebServer
from tests.web.pages import come_back, everything_is_sent, expect_live, message, say

pytestmark = [pytest.mark.anyio, pytest.mark.slow(4)]


@pytest.fixture
def server(uvicorn: UvicornFactory, tmp_path: Path) -> WebServer:
    """A server that the test may stop, with pages of its own."""
    server = uvicorn("tests.web.two_mounts:app")
    for name in ("root", "chat"):
        shutil.copytree(DIRECTORY, server.folder / "pages" / name)
    return restarted(server)


def restarted(server: WebServer) -> WebServer:
    server.stop()
    return server.start()


@pytest.fixture(params=["/", "/chat/"])
def url(server: WebServer, request: pytest.FixtureRequest) -> str:
    return f"{server.url}{request.param}"


async def enter(page: Page, url: str, room: str, name: str = "alice") -> Page:
    """As a guest whose browser has stored the page."""
    await page.goto(f"{url}#{room}")
    await page.get_by_label("Your name").fill(name)
    await page.get_by_role("button", name="Start chatting").click()
    await expect_live(page)
    own = "new URL('sw.js', document.baseURI).href"
    await page.wait_for_function(f"() => navigator.serviceWorker.controller?.scriptURL === {own}")
    return page


async def until(page: Page, condition: str, argument: object = None) -> None:
    """Waits until an asynchronous function of the page gives true."""
    waiting = f"""async argument => {{
        const condition = {condition};
        while (!await condition(argument)) await new Promise(resolve => setTimeout(resolve, 50));
    }}"""
    with anyio.fail_after(60):
        await page.evaluate(waiting, argument)


async def messages_are_stored(page: Page, text: str) -> None:
    await until(
        page,
        """async text => {
            for (const name of (await caches.keys()).filter(name => name.endsWith(' seen'))) {
                const cache = await caches.open(name);
                for (const entry of await cache.matchAll()) if ((await entry.text()).includes(text)) return true;
            }
            return false;
        }""",
        text,
    )


async def builds_are_stored(page: Page, *versions: str) -> None:
    """Waits until the browser has the files of these builds and of no other."""
    await until(
        page,
        """async versions => {
            const builds = (await caches.keys()).filter(name => name.includes(' page '));
            return JSON.stringify(builds.map(name => name.split(' ').at(-1)).sort()) === JSON.stringify(versions);
        }""",
        sorted(versions),
    )


def version_of(page: Path) -> str:
    version = re.search(r'"version":"(\w+)"', (page / "sw.js").read_text())
    assert version is not None
    return version[1]


def rebuild(page: Path, version: str) -> None:
    """The page as after a build of changed sources: every file in assets/ has another name."""
    for copy in [*page.rglob("*.br"), *page.rglob("*.gz")]:
        copy.unlink()
    hashes = {file.stem[-8:] for file in (page / "assets").iterdir()}
    for file in [*(page / "assets").iterdir(), page / "index.html", page / "sw.js"]:
        text = file.read_text()
        for old in hashes:
            text = text.replace(f"-{old}.", f"-{old[:6]}{version}.")
        if file.name == "sw.js":
            text = text.replace(f'"version":"{version_of(page)}"', f'"version":"{version}"')
        file.write_text(text)
        if file.parent.name == "assets":
            file.rename(file.with_name(f"{file.stem[:-2]}{version}{file.suffix}"))


async def test_a_reload_without_the_server_shows_what_was_seen_last(
    server: WebServer, new_page: PageFactory, url: str, room: str
) -> None:
    alice = await enter(await new_page(service_workers="allow"), url, room)
    await say(alice, "Seen before the stop")
    await messages_are_stored(alice, "Seen before the stop")

    server.stop()
    await alice.reload()

    await expect(alice.get_by_role("status").get_by_text("The server does not answer")).to_be_visible()
    await expect(alice.get_by_text("Live", exact=True)).to_be_hidden()
    await expect(message(alice, "Seen before the stop")).to_be_visible()
    await say(alice, "Written without the server")

    server.start()
    await come_back(alice)
    await everything_is_sent(alice)
    bob = await enter(await new_page(service_workers="allow"), url, room, "bob")
    await say(bob, "New")
    for page in (alice, bob):
        await expect(page.get_by_role("log").locator(".message .body")).to_have_text(
            ["Seen before the stop", "Written without the server", "New"]
        )


async def test_a_user_who_leaves_leaves_no_messages_on_the_device(
    server: WebServer, new_page: PageFactory, room: str
) -> None:
    alice = await enter(await new_page(service_workers="allow"), f"{server.url}/", room)
    await say(alice, "Not for the next one")
    await messages_are_stored(alice, "Not for the next one")

    await alice.get_by_role("button", name="Use another name").click()

    await until(alice, "async () => (await (await caches.open('hubbub / seen')).keys()).length === 0")


async def test_the_page_opens_while_a_proxy_does_not_reach_the_server(
    server: WebServer, new_page: PageFactory, url: str, room: str
) -> None:
    alice = await enter(await new_page(service_workers="allow"), url, room)

    for answer in ("502", "503", "504", "late"):
        await alice.context.add_cookies([{"name": "answer", "value": answer, "url": server.url}])
        await alice.reload()
        await expect(alice.get_by_role("heading", name=room, level=1)).to_be_visible()
    server.kill()


async def test_a_refusal_of_the_page_is_shown(server: WebServer, new_page: PageFactory, url: str, room: str) -> None:
    alice = await enter(await new_page(service_workers="allow"), url, room)

    for answer in ("401", "403", "404", "500"):
        await alice.context.add_cookies([{"name": "answer", "value": answer, "url": server.url}])
        shown = await alice.reload()
        assert shown is not None
        assert shown.status == int(answer)
        await expect(alice.get_by_text("From the proxy")).to_be_visible()


async def test_a_new_build_takes_over_and_an_open_page_keeps_its_own_files(
    server: WebServer, new_page: PageFactory, room: str
) -> None:
    url, files = f"{server.url}/", server.folder / "pages/root"
    first, later = version_of(files), next((files / "assets").glob("later-*.js")).name
    alice = await enter(await new_page(service_workers="allow"), url, room)

    # The page that asks for a name has loaded the later parts; now the name is known.
    await alice.reload()
    await expect_live(alice)

    rebuild(files, "02")
    restarted(server)
    other = await alice.context.new_page()
    await other.goto(url)
    await builds_are_stored(other, first, "02")

    # The old page loads this part only now, and the server does not have it any more.
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"{url}assets/{later}")).status_code == 404
    await alice.get_by_role("button", name="Browse all rooms").click()
    await expect(alice.get_by_role("combobox", name="Search rooms")).to_be_visible()

    rebuild(files, "03")
    restarted(server)
    await other.reload()
    await builds_are_stored(other, first, "03")

    await alice.close()
    rebuild(files, "04")
    restarted(server)
    await other.reload()
    await builds_are_stored(other, "04")

    server.stop()
    await other.reload()
    assert await other.evaluate("document.querySelector('script[src]').src.endsWith('04.js')")


async def test_a_chat_that_has_lost_its_page_gives_up_what_browsers_stored(
    server: WebServer, new_page: PageFactory, room: str
) -> None:
    alice = await enter(await new_page(service_workers="allow"), f"{server.url}/", room)
    other = await enter(await alice.context.new_page(), f"{server.url}/chat/", room)
    await say(other, "In the second chat")
    await messages_are_stored(other, "In the second chat")

    shutil.rmtree(server.folder / "pages/chat")
    restarted(server)
    await other.reload()

    await until(alice, "async () => !(await caches.keys()).some(name => name.startsWith('hubbub /chat/'))")
    await until(alice, "async () => (await navigator.serviceWorker.getRegistrations()).length === 1")
    server.stop()
    await alice.reload()
    await expect(alice.get_by_role("heading", name=room, level=1)).to_be_visible()
