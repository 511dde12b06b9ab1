"""Writing: drafts are kept, and a phone's keyboard stays open."""

from typing import Any

import pytest
from playwright.async_api import expect

from tests.servers import WebServer
from tests.web.pages import PHONE, Enter, expect_live, message, say
from tests.web.test_reading import enter_full_room
from tests.web.test_stored_rooms import top_of

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
    # Fills the page's storage, down to a few characters.
    await alice.evaluate(
        """() => {
            for (let size = 2 ** 22; size >= 1; size /= 2) {
                try {
                    localStorage.setItem(`ballast ${size}`, 'x'.repeat(size));
                } catch {}
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


async def test_on_a_phone_enter_starts_a_new_line(enter: Enter) -> None:
    alice = await enter("alice", **PHONE)
    field = alice.get_by_label("Message in")
    await field.tap()
    await alice.keyboard.type("first")
    await alice.keyboard.press("Enter")
    await alice.keyboard.type("second")
    await expect(field).to_have_value("first\nsecond")


async def test_sending_by_keyboard_leads_back_to_the_field(enter: Enter) -> None:
    alice = await enter("alice")
    await alice.get_by_label("Message in").fill("by Tab")
    await alice.keyboard.press("Tab")
    await expect(alice.get_by_role("button", name="Send")).to_be_focused()
    await alice.keyboard.press("Enter")

    await expect(message(alice, "by Tab")).to_be_visible()
    await expect(alice.get_by_label("Message in")).to_be_focused()


async def test_pasted_lines_stay_lines(enter: Enter) -> None:
    alice = await enter("alice", permissions=["clipboard-read", "clipboard-write"])
    bob = await enter("bob")
    lines = [f"line {number}" for number in range(12)]
    await alice.evaluate("text => navigator.clipboard.writeText(text)", "\n".join(lines))
    field = alice.get_by_label("Message in")
    await field.press("Control+v")
    await expect(field).to_have_value("\n".join(lines))
    await field.press("Enter")

    for page in (alice, bob):
        said = message(page, "line 0").locator(".words")
        await expect(said).to_be_visible()
        assert (await said.inner_text()).splitlines() == lines


@on_each_device
async def test_a_growing_field_does_not_move_the_line_that_is_read(
    enter: Enter, server: WebServer, room: str, device: dict[str, Any]
) -> None:
    alice = await enter_full_room(enter, server, room, device)
    await message(alice, "line 10.").scroll_into_view_if_needed()
    await expect(alice.get_by_role("button", name="To the latest message")).to_be_visible()
    before = await top_of(alice, "line 10.")

    for text in ("one", "one\ntwo\nthree\nfour\nfive", "many\n" * 30, ""):
        await alice.get_by_label("Message in").fill(text)
        assert abs(await top_of(alice, "line 10.") - before) < 2


async def test_the_end_of_a_composition_does_not_send(enter: Enter) -> None:
    alice = await enter("alice")
    field = alice.get_by_label("Message in")
    await field.focus()
    devtools = await alice.context.new_cdp_session(alice)
    await devtools.send("Input.imeSetComposition", {"text": "にほん", "selectionStart": 3, "selectionEnd": 3})
    # Safari sends the Enter that ends a composition after its end, with the code of keys that an input method uses.
    await devtools.send("Input.insertText", {"text": "日本"})
    enter_key = "new KeyboardEvent('keydown', {key: 'Enter', keyCode: 229, bubbles: true, cancelable: true})"
    assert await field.evaluate(f"field => field.dispatchEvent({enter_key})")
    await expect(field).to_have_value("日本")
    await expect(alice.get_by_role("article")).to_have_count(0)

    await field.press("Enter")
    await expect(message(alice, "日本")).to_be_visible()
