"""The page keeps within the server's limits, whatever the user does, and reconnects after it did not."""

import json
from typing import Any

import pytest
from playwright.async_api import Page, WebSocketRoute, expect

from tests.conftest import PageFactory, ServerFactory
from tests.people import person
from tests.servers import WebServer
from tests.web.pages import come_back, everything_is_sent, expect_live, say

pytestmark = pytest.mark.anyio

STRICT = {"HUBBUB_RATE": "60", "HUBBUB_BURST": "60", "HUBBUB_VIOLATIONS": "1"}
"""A client that is too fast twice is closed."""


async def remembering(page: Page, server: WebServer, **entries: Any) -> None:
    """The page as a user who was here before on this device."""
    await page.goto(server.url)
    stored = {f"hubbub / {name}": json.dumps(value) for name, value in entries.items()}
    await page.evaluate("stored => Object.assign(localStorage, stored)", stored)


async def enter(page: Page, name: str) -> None:
    await page.get_by_label("Your name").fill(name)
    await page.get_by_role("button", name="Start chatting").click()
    await expect_live(page)


def offline(room: str, number: int) -> dict[str, Any]:
    return {"room": room, "key": f"key-of-{room}-{number:03}", "text": f"{room} {number}", "at": number}


async def history(server: WebServer, room: str) -> list[str]:
    async with person(server) as reader:
        page = await reader.ask({"type": "join", "room": room, "limit": 200})
    return [row["text"] for row in page["messages"]]


async def test_messages_written_offline_arrive_in_order(serve: ServerFactory, new_page: PageFactory) -> None:
    server = serve(environment=STRICT)
    page = await new_page()
    said = {room: [offline(room, number) for number in range(35)] for room in ("attic", "cellar", "hall", "yard")}
    unsent = {f"unsent:ada:{entry['key']}": entry for entries in said.values() for entry in entries}
    await remembering(page, server, **{"rooms:ada": list(said)}, **unsent)

    await enter(page, "Ada")

    await everything_is_sent(page)
    for room, entries in said.items():
        assert await history(server, room) == [entry["text"] for entry in entries]
    await expect_live(page)
    await expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.slow(10)
async def test_messages_written_fast_arrive_in_order(serve: ServerFactory, new_page: PageFactory) -> None:
    server = serve(environment=STRICT | {"HUBBUB_RATE": "20", "HUBBUB_BURST": "10"})
    page = await new_page()
    await page.goto(f"{server.url}/#hall")
    await enter(page, "Ada")

    field = page.get_by_label("Message in")
    for number in range(50):
        await field.fill(f"line {number}")
        await field.press("Enter")

    await everything_is_sent(page)
    assert await history(server, "hall") == [f"line {number}" for number in range(50)]
    await expect_live(page)


@pytest.mark.slow(10)
async def test_five_hundred_rooms_are_joined_listed_and_found(serve: ServerFactory, new_page: PageFactory) -> None:
    server = serve(environment={"HUBBUB_ROOMS_PER_CONNECTION": "500"})
    page = await new_page()
    rooms = [f"room-{number:03}" for number in range(500)]
    await remembering(page, server, **{"rooms:ada": rooms})
    await enter(page, "Ada")
    lines = page.get_by_role("navigation", name="My rooms").get_by_role("listitem")
    await expect(lines).to_have_count(500)

    await page.get_by_role("button", name=rooms[0], exact=True).focus()
    for key in ("End", "Enter"):
        await page.keyboard.press(key)
    await expect(page.get_by_role("heading", name=rooms[499], level=1)).to_be_visible()
    await page.keyboard.press("Alt+ArrowUp")
    await expect(page.get_by_role("heading", name=rooms[498], level=1)).to_be_visible()
    await page.keyboard.press("Control+k")
    await page.keyboard.type("r123")
    await expect(page.get_by_role("option", selected=True)).to_have_text(f"# {rooms[123]}")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name=rooms[123], level=1)).to_be_visible()

    for room in (rooms[0], rooms[499]):
        await page.evaluate("room => (location.hash = room)", room)
        await expect(page.get_by_role("heading", name=room, level=1)).to_be_visible()
        await say(page, f"hello {room}")
        await everything_is_sent(page)
        assert await history(server, room) == [f"hello {room}"]


async def test_one_room_more_than_allowed_is_refused_and_the_others_work(
    serve: ServerFactory, new_page: PageFactory
) -> None:
    server = serve(environment={"HUBBUB_ROOMS_PER_CONNECTION": "3"})
    page = await new_page()
    await remembering(page, server, **{"rooms:ada": ["attic", "cellar", "hall", "yard"]})
    await enter(page, "Ada")

    await expect(page.get_by_text("a connection is in at most 3 rooms")).to_be_visible()
    await expect(page.get_by_role("button", name="yard", exact=True)).to_have_count(0)
    await say(page, "hello")
    await everything_is_sent(page)


async def test_a_page_that_was_closed_for_being_too_fast_reconnects(
    serve: ServerFactory, new_page: PageFactory
) -> None:
    server = serve()
    page = await new_page()
    sockets: list[WebSocketRoute] = []

    def pass_on(socket: WebSocketRoute) -> None:
        socket.connect_to_server()
        sockets.append(socket)

    await page.route_web_socket("**/ws*", pass_on)
    await page.goto(f"{server.url}/#hall")
    await enter(page, "Ada")

    await sockets[-1].close(code=1008, reason="too many commands, again and again")
    await expect(page.get_by_text("Connection lost")).to_be_visible()
    await say(page, "hello")
    await come_back(page)

    await everything_is_sent(page)
