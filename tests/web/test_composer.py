"""Writing: drafts are kept, and a phone's keyboard stays open."""

from typing import Any

import pytest
from playwright.async_api import expect

from tests.web.pages import PHONE, Enter, expect_live, message, say

pytestmark = pytest.mark.anyio

on_each_device = pytest.mark.parametrize("device", [{}, PHONE], ids=["desktop", "phone"])


@on_each_device
async def test_the_draft_of_each_room_survives_a_reload(enter: Enter, room: str, device: dict[str, Any]) -> None:
    hall = f"{room}-hall"
    alice = await enter("alice", **device)
    field = alice.get_by_label("Message in")
    await field.fill("half a sentence\nfor this room")
    await alice.evaluate(f"location.hash = '#{hall}'")
    await expect(alice.get_by_role("heading", name=hall, level=1)).to_be_visible()
    await field.fill("for the hall")

    await alice.reload()
    await expect(field).to_have_value("for the hall")
    await alice.evaluate(f"location.hash = '#{room}'")
    await expect(field).to_have_value("half a sentence\nfor this room")
    await alice.get_by_role("button", name="Send").click()
    await expect(message(alice, "half a sentence")).to_be_visible()
    await alice.reload()
    await expect(alice.get_by_role("heading", name=room, level=1)).to_be_visible()
    await expect(field).to_have_value("")


async def test_an_edit_is_not_stored_as_a_draft(enter: Enter) -> None:
    alice = await enter("alice")
    await say(alice, "said")
    await expect(message(alice, "said")).to_be_visible()
    field = alice.get_by_label("Message in")
    await field.press("ArrowUp")
    await expect(field).to_have_value("said")
    await field.fill("said otherwise")

    await alice.reload()

    await expect(message(alice, "said")).to_be_visible()
    await expect(field).to_have_value("")


async def test_people_can_talk_if_the_device_has_no_space_for_drafts(enter: Enter) -> None:
    alice = await enter("alice")
    await expect_live(alice)
    # Fills the page's storage completely.
    await alice.evaluate(
        """() => {
            let ballast = '';
            for (let size = 2 ** 22; size >= 1; size /= 2) {
                try {
                    for (;;) localStorage.setItem('ballast', (ballast += 'x'.repeat(size)));
                } catch {
                    ballast = ballast.slice(size);
                }
            }
        }"""
    )

    await alice.get_by_label("Message in").press_sequentially("no room here")
    await alice.keyboard.press("Enter")

    await expect(message(alice, "no room here")).to_be_visible()


async def test_sending_by_touch_keeps_a_phones_keyboard(enter: Enter) -> None:
    alice = await enter("alice", **PHONE)
    field = alice.get_by_label("Message in")
    for text in ("first", "second"):
        await field.tap()
        await alice.keyboard.type(text)
        # A phone closes its keyboard when the field loses the focus, even for a moment.
        await field.evaluate("field => { window.lost = 0; field.onblur = () => (window.lost += 1); }")
        await alice.get_by_role("button", name="Send").tap()
        await expect(message(alice, text)).to_be_visible()

        await expect(field).to_be_focused()
        assert await alice.evaluate("window.lost") == 0


async def test_sending_by_keyboard_leads_back_to_the_field(enter: Enter) -> None:
    alice = await enter("alice")
    await alice.get_by_label("Message in").fill("by Tab")
    await alice.keyboard.press("Tab")
    await expect(alice.get_by_role("button", name="Send")).to_be_focused()
    await alice.keyboard.press("Enter")

    await expect(message(alice, "by Tab")).to_be_visible()
    await expect(alice.get_by_label("Message in")).to_be_focused()
