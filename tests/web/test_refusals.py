"""How the page shows refusals of the server: as sentences, in the right place, and once."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.async_api import Page, WebSocketRoute, expect

from tests.conftest import PageFactory
from tests.people import person
from tests.servers import WebServer, uvicorn_server, watched
from tests.web.pages import PHONE, Enter, act, expect_live, message, say, tap

pytestmark = pytest.mark.anyio

on_each_device = pytest.mark.parametrize("device", [{}, PHONE], ids=["desktop", "phone"])


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """Everybody may read in the room `library`, and nobody may write."""
    yield from watched(uvicorn_server(tmp_path_factory.mktemp("host"), "tests.web.host_app:app"))


async def enter_library(host: WebServer, page: Page) -> None:
    await page.goto(f"{host.url}/login")
    await page.goto(f"{host.url}/chat/#library")
    await expect(page.get_by_role("main")).to_contain_text("1 online")


@on_each_device
async def test_a_read_only_room_says_so_once_beside_the_composer(
    host: WebServer, new_page: PageFactory, device: dict[str, Any]
) -> None:
    alice = await new_page(**device)
    told: list[str] = []
    alice.on("websocket", lambda socket: socket.on("framesent", lambda frame: told.append(str(frame))))
    await enter_library(host, alice)
    field = alice.get_by_label("Message in")

    await field.press_sequentially("May I")
    await expect(alice.get_by_text("You can read here.")).to_be_visible()
    # Each pause in typing would send `typing` again, if the page sends it at all.
    for word in ("say", "a", "word"):
        await field.clear()
        await field.press_sequentially(word)

    await expect(alice.get_by_text("You can read here.")).to_have_count(1)
    await expect(alice.get_by_role("button", name="Dismiss")).to_have_count(0)
    assert len([frame for frame in told if '"typing"' in frame]) == 1
    await alice.keyboard.press("Enter") if not device else await alice.get_by_role("button", name="Send").tap()
    await expect(alice.get_by_role("alert")).to_contain_text("Not sent. You may not do that here.")


@on_each_device
async def test_the_refusal_of_a_text_that_is_no_emoji_is_a_sentence(enter: Enter, device: dict[str, Any]) -> None:
    alice = await enter("alice", **device)
    await say(alice, "How about this?")
    await (tap if device else act)(alice, "How about this?", "React")
    await alice.get_by_label("Another emoji").fill("nonsense")
    await alice.keyboard.press("Enter")

    await expect(alice.locator(".notice")).to_have_text("That is not one emoji.")


async def test_the_refusal_of_a_text_is_a_sentence(enter: Enter) -> None:
    alice = await enter("alice")
    await say(alice, "a control character: \u0007")

    await expect(alice.get_by_role("alert")).to_contain_text(
        "Not sent. This text is too long, or holds characters that cannot be sent."
    )


@pytest.mark.parametrize("text", [" \n ", "\u200b\u2060", "\u2800\u3164"])
async def test_a_blank_message_is_not_sent(enter: Enter, text: str) -> None:
    alice = await enter("alice")
    await expect_live(alice)
    await alice.get_by_label("Message in").fill(text)

    await expect(alice.get_by_role("button", name="Send")).to_be_disabled()
    await alice.keyboard.press("Enter")
    await expect(alice.get_by_role("article")).to_have_count(0)


async def test_an_old_empty_message_says_that_it_is_empty(enter: Enter, server: WebServer, room: str) -> None:
    alice = await enter("alice")

    def empty(socket: WebSocketRoute) -> None:
        way = socket.connect_to_server()
        way.on_message(lambda text: socket.send(str(text).replace('"nothing"', '"\u2800 "')))

    await alice.route_web_socket(re.compile(r"/ws\b"), empty)
    await alice.reload()
    async with person(server, "bob", path=f"/ws/chat/{room}") as bob:
        await bob.ask({"type": "message", "room": room, "text": "nothing"})

    await expect(alice.get_by_role("article")).to_contain_text("This message is empty.")


async def test_a_server_of_an_older_version_does_what_it_can_and_says_what_it_cannot(enter: Enter) -> None:
    alice = await enter("alice")

    def is_older(socket: WebSocketRoute) -> None:
        """It has never heard of pins."""
        way = socket.connect_to_server()
        socket.on_message(lambda text: way.send(str(text).replace('"type":"pin"', '"type":"unheard-of"')))

    await alice.route_web_socket(re.compile(r"/ws\b"), is_older)
    await alice.reload()
    await say(alice, "words")
    await expect(message(alice, "words")).to_be_visible()
    await act(alice, "words", "Pin")

    await expect(alice.locator(".notice")).to_have_text(
        "This page and its server do not fit together. Reload the page."
    )
    await act(alice, "words", "React")
    await alice.get_by_role("button", name="thumbs up").click()
    await expect(alice.get_by_role("button", name="1, by you")).to_be_visible()
