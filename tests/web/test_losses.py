"""The page reconnects after its server was gone; messages written in between are neither lost nor duplicated."""

import signal

import pytest
from playwright.async_api import expect

from tests.conftest import PageFactory, ServerFactory
from tests.servers import WebServer
from tests.web.pages import Enter, come_back, expect_live, message, say

pytestmark = pytest.mark.anyio


@pytest.fixture
def server(serve: ServerFactory) -> WebServer:
    """A server of the test's own, which it may kill."""
    return serve()


async def test_the_page_reconnects_by_itself_when_the_server_was_killed(enter: Enter, server: WebServer) -> None:
    alice, bob = await enter("alice"), await enter("bob")
    await expect_live(alice)

    server.kill()
    await expect(alice.get_by_text("Connection lost")).to_be_visible()
    server.start()
    for page in (alice, bob):
        await expect(page.get_by_text("Live", exact=True)).to_be_visible(timeout=40_000)

    await say(alice, "Still here?")
    await expect(bob.get_by_role("log").get_by_text("Still here?")).to_be_visible()


async def test_the_page_reconnects_at_once_when_the_network_is_back(enter: Enter, server: WebServer) -> None:
    alice = await enter("alice")

    server.stop()
    await expect(alice.get_by_text("Connection lost")).to_be_visible()
    server.start()
    await alice.evaluate("window.dispatchEvent(new Event('online'))")

    await expect_live(alice)


async def test_the_page_notices_a_silent_server(serve: ServerFactory, new_page: PageFactory) -> None:
    server = serve(environment={"HUBBUB_HEARTBEAT": "0.5"})
    alice = await new_page()
    await alice.goto(server.url)
    await alice.get_by_label("Your name").fill("alice")
    await alice.keyboard.press("Enter")
    await expect_live(alice)

    server.signal(signal.SIGSTOP)
    try:
        await expect(alice.get_by_text("Live", exact=True)).to_be_hidden()
    finally:
        server.signal(signal.SIGCONT)

    await expect(alice.get_by_text("Live", exact=True)).to_be_visible(timeout=40_000)


async def test_a_message_sent_while_the_server_dies_is_stored_exactly_once(enter: Enter, server: WebServer) -> None:
    alice, bob = await enter("alice"), await enter("bob")
    await say(alice, "before")
    await expect(message(bob, "before")).to_be_visible()

    # The last messages are sent to a server that is dying or dead.
    for number in range(5):
        await say(alice, f"during {number}.")
        if number == 2:
            server.kill()
    server.start()
    await come_back(alice)
    await come_back(bob)

    for page in (alice, bob):
        await expect(message(page, "during").locator(".body")).to_have_text(
            [f"during {number}." for number in range(5)]
        )
    await expect(alice.get_by_text("Waiting for the connection")).to_have_count(0)
    await bob.reload()
    await expect(message(bob, "during")).to_have_count(5)


async def test_a_reload_loses_no_message_that_waits_to_be_sent(enter: Enter, server: WebServer) -> None:
    alice, bob = await enter("alice"), await enter("bob")
    await expect_live(alice)
    url = alice.url

    server.kill()
    await expect(alice.get_by_text("Connection lost")).to_be_visible()
    await say(alice, "one.")
    await say(alice, "two.")
    await expect(message(alice, "two.")).to_contain_text("Waiting for the connection")
    # A reload without the server would need a service worker; another tab has the same effect.
    await alice.goto("about:blank")
    server.start()
    await alice.goto(url)

    await expect_live(alice)
    await expect(message(alice, ".")).to_contain_text(["one.", "two."])
    await come_back(bob)
    await expect(message(bob, ".").locator(".body")).to_have_text(["one.", "two."])
    await expect(alice.get_by_text("Waiting for the connection")).to_have_count(0)
