"""People, rooms and emoji are completed while somebody writes, with any keyboard and by touch."""

import re
from contextlib import AsyncExitStack
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from tests.people import person
from tests.servers import WebServer
from tests.web.pages import PHONE, Enter, message, say
from tests.web.test_navigation import join

pytestmark = pytest.mark.anyio

on_each_device = pytest.mark.parametrize("device", [{}, PHONE], ids=["desktop", "phone"])


def field_of(page: Page) -> Locator:
    return page.get_by_label("Message in")


def choices(page: Page) -> Locator:
    return page.get_by_role("listbox").get_by_role("option")


async def expect_marked(page: Page, text: str) -> None:
    """The marked choice is also the one that the field names to a screen reader."""
    marked = page.get_by_role("option", selected=True)
    await expect(marked).to_contain_text(text)
    await expect(field_of(page)).to_have_attribute("aria-activedescendant", await marked.get_attribute("id") or "none")


async def expect_closed(page: Page) -> None:
    await expect(choices(page)).to_have_count(0)
    for attribute in ("aria-activedescendant", "aria-controls"):
        await expect(field_of(page)).not_to_have_attribute(attribute, re.compile(""))


async def press_within_composition(page: Page, key: str, *, has_ended: bool = False) -> bool:
    """As browsers report a key that an input method uses. Returns whether the page left it to the browser."""
    event = {"key": key, "keyCode": 229, "isComposing": not has_ended, "bubbles": True, "cancelable": True}
    left: bool = await field_of(page).evaluate(
        "(field, event) => field.dispatchEvent(new KeyboardEvent('keydown', event))", event
    )
    return left


async def enter_with_others(enter: Enter, server: WebServer, room: str, **options: Any) -> Page:
    """alice, after others have spoken and left; carol was the last."""
    for name in ("bob", "carol"):
        async with person(server, f"{room}-{name}", path=f"/ws/chat/{room}") as speaker:
            await speaker.say(room, f"{name} was here")
    alice = await enter("alice", **options)
    await expect(message(alice, "carol was here")).to_be_visible()
    return alice


async def test_a_person_is_completed_by_keys_alone(enter: Enter, server: WebServer, room: str) -> None:
    alice = await enter_with_others(enter, server, room)
    field = field_of(alice)
    await expect(field).to_be_focused()

    await alice.keyboard.type("ask @")
    await expect(choices(alice)).to_contain_text([f"{room}-carol", f"{room}-bob"])
    await expect(alice.get_by_role("status").filter(has_text="2 suggestions")).to_have_count(1)
    await expect_marked(alice, "carol")
    await alice.keyboard.press("ArrowDown")
    await expect_marked(alice, "bob")
    await alice.keyboard.press("ArrowDown")
    await expect_marked(alice, "carol")
    await alice.keyboard.press("ArrowUp")
    await alice.keyboard.press("Enter")

    await expect(field).to_have_value(f"ask @{room}-bob ")
    await expect_closed(alice)
    await expect(field).to_be_focused()
    await alice.keyboard.type("about it")
    await alice.keyboard.press("Enter")
    await expect(message(alice, f"ask @{room}-bob about it")).to_be_visible()


async def test_tab_takes_only_from_an_open_list(enter: Enter, server: WebServer, room: str) -> None:
    alice = await enter_with_others(enter, server, room)

    await alice.keyboard.type("@car")
    await expect_marked(alice, "carol")
    await alice.keyboard.press("Tab")
    await expect(field_of(alice)).to_have_value(f"@{room}-carol ")
    await alice.keyboard.press("Tab")

    await expect(alice.get_by_role("button", name="Send")).to_be_focused()


async def test_escape_leaves_the_word_as_it_is_written(enter: Enter, server: WebServer, room: str) -> None:
    alice = await enter_with_others(enter, server, room)

    await alice.keyboard.type("@car")
    await expect_marked(alice, "carol")
    await alice.keyboard.press("Escape")
    await expect_closed(alice)
    await alice.keyboard.type("o")
    await alice.keyboard.press("Enter")

    await expect(message(alice, "@caro")).to_be_visible()
    await alice.keyboard.type("@car")
    await expect_marked(alice, "carol")


async def test_escape_closes_the_list_before_it_ends_a_reply(enter: Enter, server: WebServer, room: str) -> None:
    alice = await enter_with_others(enter, server, room)
    await message(alice, "bob was here").hover()
    await message(alice, "bob was here").get_by_role("button", name="Reply").click()

    await alice.keyboard.type("@bo")
    await expect_marked(alice, "bob")
    await alice.keyboard.press("Escape")
    await expect_closed(alice)
    await expect(alice.get_by_role("button", name="Do not reply")).to_be_visible()
    await alice.keyboard.press("Escape")

    await expect(alice.get_by_role("button", name="Do not reply")).to_have_count(0)
    await expect(field_of(alice)).to_have_value("@bo")


async def test_the_list_closes_when_the_caret_or_the_focus_goes_elsewhere(
    enter: Enter, server: WebServer, room: str
) -> None:
    alice = await enter_with_others(enter, server, room)
    await alice.keyboard.type("ask @bo")
    await expect_marked(alice, "bob")
    await alice.keyboard.press("Home")
    await expect_closed(alice)

    await alice.keyboard.press("End")
    await alice.keyboard.type("b")
    await expect_marked(alice, "bob")
    await alice.get_by_role("log").focus()
    await expect_closed(alice)


async def test_people_of_a_large_room_are_found_by_the_server(enter: Enter, server: WebServer, room: str) -> None:
    async with AsyncExitStack() as crowd:
        for number in range(101):
            await crowd.enter_async_context(person(server, f"{room}-{number:03}", path=f"/ws/chat/{room}"))
        last = await crowd.enter_async_context(person(server, f"{room}-zebra", path=f"/ws/chat/{room}"))
        await last.catch_up()
        alice = await enter("alice")
        await expect(alice.get_by_text("103 online").first).to_be_visible()

        await alice.keyboard.type("@zeb")

        await expect_marked(alice, f"{room}-zebra")
        await alice.keyboard.press("Enter")
        await expect(field_of(alice)).to_have_value(f"@{room}-zebra ")


async def test_rooms_are_completed_mine_first_then_those_of_the_server(
    enter: Enter, server: WebServer, room: str
) -> None:
    async with person(server, f"{room}-bob", path=f"/ws/chat/{room}-yard") as bob:
        await bob.say(f"{room}-yard", "hello")
        alice = await enter("alice")
        await join(alice, f"{room}-hall")

        await field_of(alice).press_sequentially(f"see #{room}-")
        await expect(choices(alice)).to_contain_text([f"{room}-hall", f"{room}-yard"])
        await alice.keyboard.press("ArrowDown")
        await alice.keyboard.press("Enter")

        await expect(field_of(alice)).to_have_value(f"see #{room}-yard ")


async def test_emoji_are_completed_by_their_names(enter: Enter) -> None:
    alice = await enter("alice")
    field = field_of(alice)

    await alice.keyboard.type("ship it :roc")
    await expect_marked(alice, ":rocket:")
    await alice.keyboard.press("Enter")
    await expect(field).to_have_value("ship it 🚀 ")
    await alice.keyboard.type("done :tada:")
    await expect(field).to_have_value("ship it 🚀 done 🎉")
    # Who wants the name itself takes the emoji back.
    await alice.keyboard.press("Control+z")
    await expect(field).to_have_value("ship it 🚀 done :tada:")


@on_each_device
async def test_a_choice_is_taken_by_click_and_touch_and_the_keyboard_stays(
    enter: Enter, server: WebServer, room: str, device: dict[str, Any]
) -> None:
    alice = await enter_with_others(enter, server, room, **device)
    field = field_of(alice)
    await field.focus()
    await alice.keyboard.type("@")
    # A phone closes its keyboard when the field loses the focus, even for a moment.
    await field.evaluate("field => { window.lost = 0; field.addEventListener('blur', () => (window.lost += 1)); }")
    bob = choices(alice).filter(has_text="bob")

    await (bob.tap() if device else bob.click())

    await expect(field).to_have_value(f"@{room}-bob ")
    await expect(field).to_be_focused()
    assert await alice.evaluate("window.lost") == 0


async def test_a_touch_takes_while_a_phones_keyboard_composes(enter: Enter, server: WebServer, room: str) -> None:
    alice = await enter_with_others(enter, server, room, **PHONE)
    field = field_of(alice)
    await field.tap()
    await alice.keyboard.type("ask @")
    devtools = await alice.context.new_cdp_session(alice)
    await devtools.send("Input.imeSetComposition", {"text": "bo", "selectionStart": 2, "selectionEnd": 2})
    await expect_marked(alice, "bob")

    await choices(alice).tap()

    await expect(field).to_have_value(f"ask @{room}-bob ")
    await alice.keyboard.type("now")
    await expect(field).to_have_value(f"ask @{room}-bob now")


async def test_keys_of_an_input_method_neither_take_nor_send(enter: Enter, server: WebServer, room: str) -> None:
    alice = await enter_with_others(enter, server, room)
    field = field_of(alice)
    await alice.keyboard.type("@")
    await expect_marked(alice, "carol")
    devtools = await alice.context.new_cdp_session(alice)
    await devtools.send("Input.imeSetComposition", {"text": "bo", "selectionStart": 2, "selectionEnd": 2})
    await expect(field).to_have_value("@bo")
    await expect_marked(alice, "bob")

    # Its arrows choose a candidate, its Enter takes that. Safari sends this Enter after the end of the composition.
    for key in ("ArrowDown", "Enter", "Tab", "Escape"):
        for has_ended in (False, True):
            assert await press_within_composition(alice, key, has_ended=has_ended)
    await expect(field).to_have_value("@bo")
    await expect_marked(alice, "bob")
    await devtools.send("Input.insertText", {"text": "bo"})
    await expect(field).to_have_value("@bo")
    await alice.keyboard.press("Enter")

    await expect(field).to_have_value(f"@{room}-bob ")
    await expect(alice.get_by_role("article")).to_have_count(2)


async def test_a_word_that_nothing_completes_is_sent_at_once(enter: Enter) -> None:
    alice = await enter("alice")
    await say(alice, "first")
    for text in ("see #12x34y", "@nobody-at-all", "nice :)", "at 12:30"):
        await field_of(alice).press_sequentially(text)
        await alice.keyboard.press("Enter")
        await expect(message(alice, text)).to_be_visible()
