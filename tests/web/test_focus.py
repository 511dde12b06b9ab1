"""Where the focus goes: never to the body, where keys do nothing."""

from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from tests.web.pages import PHONE, Enter, act, expect_live, leave, message, say, tap

pytestmark = pytest.mark.anyio

on_each_device = pytest.mark.parametrize("device", [{}, PHONE], ids=["desktop", "phone"])


async def walk_to(page: Page, text: str, action: str) -> Locator:
    """Go to one of a message's buttons by keyboard."""
    await page.get_by_role("log").focus()
    for _ in range(10):
        await page.keyboard.press("ArrowUp")
        if await message(page, text).evaluate("line => line === document.activeElement"):
            break
    button = message(page, text).get_by_role("button", name=action, exact=True)
    await expect(button).to_be_visible()
    await page.keyboard.press("Tab")
    for _ in range(10):
        if await button.evaluate("button => button === document.activeElement"):
            return button
        await page.keyboard.press("ArrowRight")
    raise AssertionError(f"no way to {action} by keyboard")


async def expect_somewhere(page: Page) -> None:
    assert await page.evaluate("document.activeElement !== document.body")


async def test_escape_leads_from_a_dialog_back_to_its_button(enter: Enter) -> None:
    alice = await enter("alice")
    await say(alice, "words")
    await expect(message(alice, "words")).to_be_visible()
    for action in ("React", "Delete"):
        button = await walk_to(alice, "words", action)
        await alice.keyboard.press("Enter")
        await expect(alice.get_by_role("dialog")).to_be_visible()
        # A mouse that moves now would hide the buttons.
        await alice.mouse.move(5, 5)
        await alice.keyboard.press("Escape")

        await expect(alice.get_by_role("dialog")).to_have_count(0)
        await expect(button.or_(message(alice, "words")).and_(alice.locator(":focus"))).to_have_count(1)


@on_each_device
async def test_when_the_button_that_opened_a_dialog_is_gone_its_message_has_the_focus(
    enter: Enter, device: dict[str, Any]
) -> None:
    alice = await enter("alice", **device)
    await say(alice, "words")
    await (tap if device else act)(alice, "words", "React")
    await expect(alice.get_by_role("dialog")).to_be_visible()
    await alice.mouse.move(5, 5)
    await alice.keyboard.press("Escape")

    await expect(alice.get_by_role("dialog")).to_have_count(0)
    await expect(message(alice, "words").locator(":focus").or_(alice.locator(".message:focus"))).to_have_count(1)


@on_each_device
async def test_a_deleted_message_keeps_the_focus(enter: Enter, device: dict[str, Any]) -> None:
    alice = await enter("alice", **device)
    await say(alice, "words")
    await say(alice, "more")
    await expect(message(alice, "words")).to_be_visible()
    if device:
        await tap(alice, "words", "Delete")
    else:
        await walk_to(alice, "words", "Delete")
        await alice.keyboard.press("Enter")
    await alice.get_by_role("dialog").get_by_role("button", name="Delete").press("Enter")

    await expect(message(alice, "This message was deleted.")).to_be_focused()


async def test_the_neighbour_of_a_discarded_message_gets_the_focus(enter: Enter) -> None:
    alice = await enter("alice")
    await say(alice, "fine")
    await say(alice, "a control character: \u0007")
    discard = alice.get_by_role("button", name="Discard")
    await discard.focus()
    await alice.keyboard.press("Enter")

    await expect(discard).to_have_count(0)
    await expect(message(alice, "fine")).to_be_focused()


async def test_the_neighbour_of_a_left_room_gets_the_focus(enter: Enter, room: str) -> None:
    alice = await enter("alice")
    for name in ("hall", "kitchen"):
        await alice.get_by_label("Join or create a room").fill(name)
        await alice.keyboard.press("Enter")
    await leave(alice, "hall")
    await expect(alice.get_by_role("button", name="hall", exact=True)).to_have_count(0)

    await expect(alice.get_by_role("button", name="kitchen", exact=True)).to_be_focused()


async def test_a_notice_that_disappears_passes_the_focus_on(enter: Enter) -> None:
    alice = await enter("alice")
    await say(alice, "words")
    await act(alice, "words", "React")
    await alice.get_by_label("Another emoji").fill("nonsense")
    await alice.keyboard.press("Enter")
    await alice.get_by_role("button", name="Dismiss").focus()
    await alice.keyboard.press("Enter")

    await expect(alice.get_by_role("button", name="Dismiss")).to_have_count(0)
    await expect_somewhere(alice)


async def test_cancelling_an_edit_or_a_reply_returns_the_focus_to_the_composer(enter: Enter) -> None:
    alice = await enter("alice")
    await say(alice, "words")
    for action, stop in (("Edit", "Stop editing"), ("Reply", "Do not reply")):
        await act(alice, "words", action)
        await alice.get_by_role("button", name=stop).focus()
        await alice.keyboard.press("Enter")

        await expect(alice.get_by_label("Message in")).to_be_focused()


async def test_the_button_to_the_latest_message_moves_the_focus_to_the_log(enter: Enter) -> None:
    alice = await enter("alice")
    await expect_live(alice)
    await say(alice, "\n".join("many lines" for _ in range(100)))
    await alice.get_by_role("log").hover()
    await alice.mouse.wheel(0, -600)
    await alice.get_by_role("button", name="To the latest message").focus()
    await alice.keyboard.press("Enter")

    await expect(alice.get_by_role("log")).to_be_focused()


async def test_after_a_click_on_nothing_no_element_has_the_focus(enter: Enter) -> None:
    alice = await enter("alice")
    await say(alice, "words")
    await act(alice, "words", "Reply")
    await expect(alice.get_by_label("Message in")).to_be_focused()
    await alice.get_by_role("heading", level=1).click()
    assert await alice.evaluate("document.activeElement === document.body")

    await alice.mouse.move(5, 5)
    await expect(alice.get_by_role("toolbar")).to_have_count(0)
    assert await alice.evaluate("document.activeElement === document.body")
