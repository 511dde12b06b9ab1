"""Keys that lead everywhere, without a mouse."""

import pytest
from playwright.async_api import expect

from tests.web.pages import PHONE, Enter, expect_live, message, say
from tests.web.test_navigation import expect_room, join

pytestmark = pytest.mark.anyio


async def test_a_few_letters_lead_to_a_room(enter: Enter, room: str) -> None:
    alice = await enter("alice", reduced_motion="reduce")
    await join(alice, "kitchen", "hall")

    await alice.keyboard.press("Control+k")
    await alice.keyboard.type("ktn")
    await expect(alice.get_by_role("option", selected=True)).to_contain_text("kitchen")
    await alice.keyboard.press("Enter")
    await expect_room(alice, "kitchen")
    await expect(alice.get_by_role("dialog", name="Go to")).to_have_count(0)
    await expect(alice.get_by_label("Message in kitchen")).to_be_focused()

    await alice.keyboard.press("Control+k")
    await alice.keyboard.type("garden")
    await alice.keyboard.press("ArrowUp")
    await expect(alice.get_by_role("option", selected=True)).to_contain_text("join or create")
    await alice.keyboard.press("Enter")
    await expect_room(alice, "garden")


async def test_no_key_is_lost_while_a_dialog_opens(enter: Enter) -> None:
    alice = await enter("alice")
    field, log = alice.get_by_label("Message in"), alice.get_by_role("log")
    # Whatever is loaded only now never comes.
    await alice.route("**/assets/**", lambda route: route.abort())

    await alice.keyboard.press("Control+k")
    await alice.keyboard.type("attic")
    await expect(alice.get_by_role("combobox", name="Go to a room or a person")).to_have_value("attic")
    await alice.keyboard.press("Escape")
    await expect(field).to_have_value("")

    await log.focus()
    await alice.keyboard.press("?")
    await alice.keyboard.press("Escape")
    await expect(alice.get_by_role("dialog")).to_have_count(0)
    await expect(log).to_be_focused()

    await alice.get_by_role("button", name="Language: English").press("Enter")
    await alice.keyboard.press("Tab")
    await expect(alice.get_by_role("button", name="Deutsch")).to_be_focused()


async def test_a_dialog_opens_while_the_last_one_is_closing(enter: Enter) -> None:
    alice = await enter("alice")
    await alice.keyboard.press("Control+k")
    await expect(alice.get_by_role("combobox")).to_be_focused()

    # As after Escape and Ctrl+K at once: the browser tells the page later that the dialog was closed.
    await alice.evaluate(
        """() => {
          const told = new Promise((done) => document.querySelector('dialog').addEventListener('close', done));
          document.querySelector('dialog').close();
          document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'k', ctrlKey: true, bubbles: true }));
          return told;
        }"""
    )
    await expect(alice.get_by_role("combobox")).to_be_focused()
    await alice.keyboard.press("Escape")
    await expect(alice.get_by_role("dialog")).to_have_count(0)


async def test_a_person_who_is_found_is_mentioned(enter: Enter) -> None:
    alice, bob = await enter("alice"), await enter("bob")
    await expect_live(bob)

    await alice.keyboard.press("Control+k")
    await alice.keyboard.type("@bo")
    await alice.get_by_role("option", name="bob").click()

    await expect(alice.get_by_label("Message in")).to_have_value("@bob ")


async def test_rooms_are_above_and_below_each_other(enter: Enter, room: str) -> None:
    alice = await enter("alice")
    await join(alice, "kitchen", "hall")

    await alice.keyboard.press("Alt+ArrowDown")
    await expect_room(alice, "kitchen")
    await alice.keyboard.press("Alt+ArrowUp")
    await expect_room(alice, "hall")


async def test_a_question_mark_shows_all_keys_but_not_while_typing(enter: Enter) -> None:
    alice = await enter("alice", reduced_motion="reduce")
    await alice.get_by_label("Message in").press("?")
    await expect(alice.get_by_label("Message in")).to_have_value("?")

    await alice.get_by_role("log").focus()
    await alice.keyboard.press("?")

    await expect(alice.get_by_role("dialog", name="Keys")).to_contain_text("Go to a room or a person")
    await alice.keyboard.press("Escape")
    await expect(alice.get_by_role("log")).to_be_focused()


async def test_a_phone_finds_rooms_by_touch(enter: Enter, room: str) -> None:
    alice = await enter("alice", **PHONE)
    await alice.get_by_role("button", name="Rooms").tap()
    await alice.get_by_role("button", name="Go to a room or a person").tap()
    await alice.get_by_role("combobox").fill("attic")
    await alice.get_by_role("option", name="attic").tap()

    await expect_room(alice, "attic")
    await say(alice, "hello")
    await expect(message(alice, "hello")).to_be_visible()
