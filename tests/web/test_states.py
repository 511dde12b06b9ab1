"""Every state of the page can be read by everybody: axe finds nothing in either theme, and nothing is too wide."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.conftest import PageFactory
from tests.people import person
from tests.servers import WebServer
from tests.web.accessibility import fits, no_violations
from tests.web.pages import PHONE, Enter, everything_is_sent, message, say

pytestmark = pytest.mark.anyio

on_each_device = pytest.mark.parametrize("device", [{}, PHONE], ids=["desktop", "phone"])

MARKED = """**Bold**, *italic*, ~~struck~~ and `code` for @bob: [the docs](https://docs.example/a)

- one
  1. nested

> said before

| name | count |
|------|------:|
| cake |     3 |

```python
def bake(cakes):
    return cakes + 1  # one more
```"""


async def converse(server: WebServer, room: str) -> None:
    """A room with marks, a quote, reactions and a pin."""
    async with person(server, f"bob-in-{room}", path=f"/ws/chat/{room}") as bob:
        await bob.ask({"type": "message", "room": room, "text": MARKED})
        await bob.ask({"type": "message", "room": room, "text": "Green.", "reply_to": 1})
        await bob.ask({"type": "react", "room": room, "seq": 1, "emoji": "🎉"})
        await bob.ask({"type": "pin", "room": room, "seq": 2})


async def to_button(page: Page, steps: int) -> None:
    """From the conversation to a button of the latest message, by keyboard: on a phone, too."""
    await page.get_by_role("log").focus()
    await page.keyboard.press("ArrowUp")
    await expect(page.get_by_role("toolbar")).to_be_visible()
    for key in ("Tab", *["ArrowRight"] * steps):
        await page.keyboard.press(key)


async def states_of_the_conversation(page: Page) -> AsyncIterator[str]:
    """Opens each in turn. Gives what is open."""
    field = page.get_by_label("Message in")
    await to_button(page, 0)
    yield "body"

    for typed in ("@", "#", ":smi"):
        await field.fill("")
        await field.press_sequentially(typed)
        await expect(page.get_by_role("listbox", name="Suggestions")).to_be_in_viewport(ratio=1)
        yield "[aria-label=Suggestions]"
    await field.fill("")

    for steps, said in ((0, "Another emoji"), (5, "Delete this message?")):
        await to_button(page, steps)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("dialog").get_by_text(said)).to_be_visible()
        yield "dialog[open]"
        await page.keyboard.press("Escape")
    await to_button(page, 1)
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Reply to")).to_be_visible()
    await field.fill("x" * 3_990)
    yield ".bottom"
    await page.keyboard.press("Escape")
    await field.fill("")

    await page.get_by_role("button", name="1 pinned").press("Enter")
    yield "dialog[open]"
    await page.keyboard.press("Escape")
    for keys, title in (("Control+k", "Go to"), ("?", "Keys")):
        await page.get_by_role("log").focus()
        await page.keyboard.press(keys)
        await expect(page.get_by_role("dialog", name=title).locator("input, button").first).to_be_focused()
        yield "dialog[open]"
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog", name=title)).to_have_count(0)


async def states_of_the_lists(page: Page, room: str, *, is_phone: bool) -> AsyncIterator[str]:
    if is_phone:
        await page.get_by_role("button", name="People").tap()
        await expect(page.get_by_role("dialog", name="People")).to_contain_text("1 online")
        yield "dialog[open]"
        await page.keyboard.press("Escape")
        await page.get_by_role("button", name="Rooms").tap()
        await expect(page.get_by_role("navigation", name="My rooms")).to_be_visible()
        yield "dialog[open]"
    for name in (f"Actions for {room}", "Sort rooms"):
        await page.get_by_role("button", name=name, exact=True).press("Enter")
        await expect(page.get_by_role("menu")).to_be_in_viewport(ratio=1)
        yield "[role=menu]"
        await page.keyboard.press("Escape")
    for name, role in (("Browse all rooms", "option"), ("Language: English", "button")):
        await page.get_by_role("button", name=name).press("Enter")
        opened = page.get_by_role("dialog").last
        await expect(opened.get_by_role(role).first).to_be_visible()  # type: ignore[arg-type]
        yield "dialog[open] dialog[open]" if is_phone else "dialog[open]"
        await page.keyboard.press("Escape")
        await expect(opened.get_by_role("heading", name="All rooms")).to_have_count(0)
    await page.get_by_label("Join or create a room").fill("not/a/room")
    await expect(page.get_by_role("alert")).to_be_visible()
    yield "[aria-label='My rooms']"


async def states_of_trouble(page: Page) -> AsyncIterator[str]:
    await page.evaluate("window.dispatchEvent(new Event('offline'))")
    await expect(page.get_by_text("You are offline")).to_be_visible()
    await say(page, "later")
    await expect(message(page, "later")).to_contain_text("Waiting for the connection")
    yield "main"
    await page.evaluate("window.dispatchEvent(new Event('online'))")
    await say(page, "a control character: \u0007")
    await expect(page.get_by_role("alert")).to_contain_text("Not sent")
    yield "main"
    await page.evaluate("location.hash = '#not a room'")
    await expect(page.get_by_role("heading", name="No such room")).to_be_visible()
    yield "main"


@pytest.mark.slow(15)
@on_each_device
async def test_each_state_of_a_room_can_be_read_by_everybody(
    enter: Enter, server: WebServer, room: str, device: dict[str, Any]
) -> None:
    await converse(server, room)
    alice = await enter("alice", reduced_motion="reduce", **device)
    await say(alice, "Lovely.")
    await everything_is_sent(alice)
    await expect(message(alice, "Bold").locator(".keyword")).to_have_count(2)

    async for opened in states_of_the_conversation(alice):
        await no_violations(alice, opened)
        await fits(alice)


@on_each_device
async def test_each_state_of_the_lists_can_be_read_by_everybody(
    enter: Enter, room: str, device: dict[str, Any]
) -> None:
    alice = await enter("alice", reduced_motion="reduce", **device)

    async for opened in states_of_the_lists(alice, room, is_phone=bool(device)):
        await no_violations(alice, opened)
        await fits(alice)


@on_each_device
async def test_each_trouble_can_be_read_by_everybody(
    server: WebServer, new_page: PageFactory, room: str, device: dict[str, Any]
) -> None:
    page = await new_page(reduced_motion="reduce", **device)
    await page.goto(f"{server.url}/#{room}")
    await page.get_by_label("Your name").fill("admin")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_be_visible()
    await no_violations(page)
    await page.get_by_label("Your name").fill(f"alice-in-{room}")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("main")).to_contain_text("1 online")

    async for opened in states_of_trouble(page):
        await no_violations(page, opened)
        await fits(page)
