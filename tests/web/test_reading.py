"""A reader at the end of a conversation stays there until they scroll away."""

from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.people import person
from tests.servers import WebServer
from tests.web.pages import PHONE, Enter, message
from tests.web.test_navigation import join
from tests.web.test_stored_rooms import fill, top_of

pytestmark = pytest.mark.anyio

DEVICES: list[dict[str, Any]] = [{}, PHONE]
on_each_device = pytest.mark.parametrize("device", DEVICES, ids=["desktop", "phone"])


async def enter_full_room(enter: Enter, server: WebServer, room: str, device: dict[str, Any]) -> Page:
    await fill(server, room, 60)
    alice = await enter("alice", **device)
    await expect(message(alice, "line 60.")).to_be_in_viewport()
    await expect_in_room(alice)
    return alice


async def expect_in_room(page: Page) -> None:
    await expect(page.get_by_role("banner").or_(page.get_by_role("main"))).to_contain_text("online")


async def expect_at_end(page: Page, text: str) -> None:
    await expect(message(page, text).last).to_be_in_viewport(ratio=0.9)
    await expect(page.get_by_role("button", name="To the latest message")).to_have_count(0)


@on_each_device
async def test_a_new_message_is_visible_while_the_composer_has_four_lines(
    enter: Enter, server: WebServer, room: str, device: dict[str, Any]
) -> None:
    alice = await enter_full_room(enter, server, room, device)
    field = alice.get_by_label("Message in")
    await field.focus()
    for line in ("one", "two", "three", "four"):
        await alice.keyboard.type(line)
        if line != "four":
            await alice.keyboard.press("Shift+Enter")
    await expect_at_end(alice, "line 60.")

    async with person(server, f"{room}-bob", path=f"/ws/chat/{room}") as bob:
        for number in range(3):
            await bob.ask({"type": "message", "room": room, "text": f"answer {number}."})
            await expect_at_end(alice, f"answer {number}.")
    # The composer stops growing after some lines, and further keys must not count as scrolling.
    for _ in range(20):
        await alice.keyboard.press("Shift+Enter")
        await alice.keyboard.type("more")
    await expect_at_end(alice, "answer 2.")
    await field.fill("short again")
    await expect_at_end(alice, "answer 2.")


@on_each_device
async def test_the_end_stays_visible_when_the_window_or_a_keyboard_takes_space(
    enter: Enter, server: WebServer, room: str, device: dict[str, Any]
) -> None:
    alice = await enter_full_room(enter, server, room, device)
    assert alice.viewport_size is not None
    width, height = alice.viewport_size["width"], alice.viewport_size["height"]

    for size in ((width, height // 2), (width, height), (width * 3 // 4, height), (width, height)):
        await alice.set_viewport_size({"width": size[0], "height": size[1]})
        await expect_at_end(alice, "line 60.")


@on_each_device
async def test_the_end_stays_visible_when_something_is_pinned_or_the_font_grows(
    enter: Enter, server: WebServer, room: str, device: dict[str, Any]
) -> None:
    alice = await enter_full_room(enter, server, room, device)
    async with person(server, f"{room}-bob", path=f"/ws/chat/{room}") as bob:
        await bob.ask({"type": "pin", "room": room, "seq": 60})
    await expect(alice.get_by_title("To the pinned message")).to_be_visible()
    await expect_at_end(alice, "line 60.")

    await alice.evaluate("document.documentElement.style.fontSize = '22px'")

    await expect_at_end(alice, "line 60.")


@pytest.mark.parametrize("way", ["wheel", "key"])
async def test_a_reader_who_scrolls_up_stays_there(enter: Enter, server: WebServer, room: str, way: str) -> None:
    alice = await enter_full_room(enter, server, room, {})
    await alice.get_by_label("Message in").fill("one\ntwo\nthree\nfour")
    if way == "wheel":
        await alice.get_by_role("log").hover()
        await alice.mouse.wheel(0, -600)
    else:
        await alice.get_by_role("log").focus()
        await alice.keyboard.press("PageUp")
    await expect(alice.get_by_role("button", name="To the latest message")).to_be_visible()

    await alice.get_by_label("Message in").fill("one")
    async with person(server, f"{room}-bob", path=f"/ws/chat/{room}") as bob:
        await bob.ask({"type": "message", "room": room, "text": "an answer."})

    await expect(alice.get_by_role("button", name="To the latest message, 1 new")).to_be_visible()
    await expect(message(alice, "an answer.")).not_to_be_in_viewport()


async def test_new_messages_are_below_a_line_that_stays(enter: Enter, server: WebServer, room: str) -> None:
    alice = await enter_full_room(enter, server, room, {})
    await join(alice, f"{room}-2")
    async with person(server, f"{room}-bob", path=f"/ws/chat/{room}") as bob:
        await bob.ask({"type": "message", "room": room, "text": "first new."})
        await bob.ask({"type": "message", "room": room, "text": "second new."})
        await expect(alice.get_by_role("button", name=f"{room} 2 new")).to_be_visible()
        await expect(alice).to_have_title(f"(2) {room}-2 · Hubbub")
        # Browsers show this one, and not favicon.ico.
        icon = alice.locator('link[rel="icon"][type="image/svg+xml"]')
        await expect(icon).to_have_attribute("href", "./icon-unread.svg")
        await alice.get_by_role("button", name=f"{room} 2 new").click()

        divider = alice.get_by_role("heading", name="New", exact=True)
        await expect(divider).to_be_in_viewport()
        await expect(icon).to_have_attribute("href", "./icon.svg")
        await expect(message(alice, "second new.")).to_be_in_viewport()
        await bob.ask({"type": "message", "room": room, "text": "third new."})
        await expect(message(alice, "third new.")).to_be_in_viewport()

    tops = [await top_of(alice, f"{which} new.") for which in ("first", "third")]
    box = await divider.bounding_box()
    assert box is not None
    assert box["y"] < tops[0] < tops[1]
    await alice.get_by_label("Message in").fill("I have read it.")
    await alice.keyboard.press("Enter")
    await expect(divider).to_have_count(0)


async def test_the_place_in_a_room_is_kept(enter: Enter, server: WebServer, room: str) -> None:
    alice = await enter_full_room(enter, server, room, {})
    await message(alice, "line 30.").scroll_into_view_if_needed()
    await expect(alice.get_by_role("button", name="To the latest message")).to_be_visible()
    before = await top_of(alice, "line 30.")

    await join(alice, f"{room}-2")
    await alice.go_back()

    await expect(message(alice, "line 30.")).to_be_in_viewport()
    assert abs(await top_of(alice, "line 30.") - before) < 1.5
