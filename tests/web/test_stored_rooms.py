"""Rooms that store their messages, in a real browser: messages can be read again, answered and changed."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.people import person
from tests.servers import WebServer
from tests.web.pages import PHONE, Enter, act, come_back, expect_live, message, say

pytestmark = pytest.mark.anyio


async def fill(server: WebServer, room: str, count: int) -> None:
    """A room in which somebody has sent many messages: `line 1.` and so on."""
    async with person(server, "carol", path=f"/ws/chat/{room}") as carol:
        for first in range(1, count + 1, 50):
            numbers = range(first, min(first + 50, count + 1))
            for number in numbers:
                await carol.send({"type": "message", "room": room, "text": f"line {number}.", "id": str(number)})
            for number in numbers:
                await carol.expect("ack", id=str(number))


async def scroll_to_top(page: Page) -> None:
    await page.evaluate("document.querySelector('[role=log]').scrollTop = 0")


async def top_of(page: Page, text: str) -> float:
    box = await message(page, text).first.bounding_box()
    assert box is not None
    return box["y"]


async def test_a_refused_message_can_be_tried_again_or_discarded(enter: Enter) -> None:
    alice = await enter("alice")
    await expect_live(alice)

    await say(alice, "fine")
    await alice.get_by_label("Message in").fill("a control character: \u0007")
    await alice.keyboard.press("Enter")

    await expect(alice.get_by_role("alert")).to_contain_text("Not sent")
    await alice.get_by_role("button", name="Try again").click()
    await expect(alice.get_by_role("alert")).to_contain_text("Not sent")
    await alice.get_by_role("button", name="Discard").click()
    await expect(message(alice, "control character")).to_have_count(0)
    await alice.reload()
    await expect(message(alice, "fine")).to_be_visible()
    await expect(message(alice, "control character")).to_have_count(0)


async def test_a_reader_who_was_away_sees_new_and_changed_messages(enter: Enter) -> None:
    alice, bob = await enter("alice"), await enter("bob")
    await say(alice, "will be edited")
    await say(alice, "will be deleted")
    await expect(message(bob, "will be deleted")).to_be_visible()

    await bob.context.set_offline(True)
    await bob.evaluate("window.dispatchEvent(new Event('offline'))")
    await expect(bob.get_by_text("You are offline")).to_be_visible()
    await act(alice, "will be edited", "Edit")
    await alice.get_by_label("Message in").fill("has been edited")
    await alice.keyboard.press("Enter")
    await act(alice, "will be deleted", "Delete")
    await alice.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(message(alice, "was deleted")).to_be_visible()
    await say(alice, "is new")
    await bob.context.set_offline(False)
    await come_back(bob)

    await expect(message(bob, "has been edited")).to_contain_text("edited")
    await expect(message(bob, "will be")).to_have_count(0)
    await expect(message(bob, "This message was deleted.")).to_be_visible()
    await expect(message(bob, "is new")).to_have_count(1)


async def test_the_last_message_is_edited_with_the_up_arrow(enter: Enter) -> None:
    alice, bob = await enter("alice"), await enter("bob")
    await say(alice, "Helo")
    await expect(message(bob, "Helo")).to_be_visible()
    field = alice.get_by_label("Message in")

    await field.press("ArrowUp")
    await expect(field).to_have_value("Helo")
    await field.press("Escape")
    await expect(field).to_have_value("")
    await field.press("ArrowUp")
    await field.fill("Hello")
    await field.press("Enter")

    await expect(message(bob, "Hello")).to_contain_text("edited")
    await expect(field).to_have_value("")
    await bob.reload()
    await expect(message(bob, "Hello")).to_contain_text("edited")


async def test_reactions_show_their_number_and_their_users(enter: Enter) -> None:
    alice, bob = await enter("alice"), await enter("bob")
    await say(alice, "It works!")

    await act(bob, "It works!", "React")
    await bob.get_by_role("button", name="party").click()
    await alice.get_by_role("button", name="\N{PARTY POPPER} 1, by bob").click()
    await expect(bob.get_by_role("button", name="\N{PARTY POPPER} 2, by you and alice")).to_have_text(
        "\N{PARTY POPPER}2"
    )
    await act(alice, "It works!", "React")
    await alice.get_by_label("Another emoji").fill("\N{SAUROPOD}")
    await alice.keyboard.press("Enter")
    await expect(bob.get_by_role("button", name="\N{SAUROPOD} 1, by alice")).to_be_visible()
    await bob.get_by_role("button", name="\N{PARTY POPPER} 2, by you and alice").click()

    await expect(alice.get_by_role("button", name="\N{PARTY POPPER} 1, by you")).to_have_text("\N{PARTY POPPER}1")
    await bob.reload()
    await expect(bob.get_by_role("button", name="\N{PARTY POPPER} 1, by alice")).to_have_text("\N{PARTY POPPER}1")


async def test_a_reply_quotes_its_message_and_leads_to_it(enter: Enter, server: WebServer, room: str) -> None:
    alice, bob = await enter("alice"), await enter("bob")
    await say(alice, "Which colour?")

    await act(bob, "Which colour?", "Reply")
    await say(bob, "Green.")
    quote = message(alice, "Green.").get_by_role("button", name="Which colour?")
    await expect(quote).to_have_text(re.compile(r"^alice\s+Which colour\?$"))
    await fill(server, room, 120)
    await expect(message(alice, "line 120.")).to_be_visible()
    await alice.reload()
    await bob.reload()
    await expect(message(alice, "line 120.")).to_be_visible()
    await expect(message(alice, "Which colour?")).to_have_count(0)
    async with person(server, "dave", path=f"/ws/chat/{room}") as dave:
        await dave.ask({"type": "message", "room": room, "text": "Blue!", "reply_to": 1})
    await message(alice, "Blue!").get_by_role("button", name="Which colour?").click()

    await expect(message(alice, "Which colour?").first).to_be_in_viewport()
    await say(bob, "Meanwhile")
    await expect(alice.get_by_role("button", name="To the latest message, 1 new")).to_be_visible()
    await alice.get_by_role("button", name="To the latest message").click()
    await expect(message(alice, "Meanwhile")).to_be_in_viewport()


async def test_pinned_messages_stand_above_the_conversation(enter: Enter) -> None:
    alice, bob = await enter("alice"), await enter("bob")
    await say(alice, "The rules: be kind.")

    await act(bob, "The rules", "Pin")
    await expect(alice.get_by_title("To the pinned message")).to_contain_text("The rules: be kind.")
    await expect(message(alice, "The rules")).to_contain_text("pinned")
    await alice.reload()
    await alice.get_by_role("button", name="1 pinned").click()
    await alice.get_by_role("dialog").get_by_role("button", name="Unpin").click()

    await expect(bob.get_by_title("To the pinned message")).to_have_count(0)


async def test_an_old_pinned_message_is_still_shown_after_a_reload(enter: Enter, server: WebServer, room: str) -> None:
    async with person(server, "dave", path=f"/ws/chat/{room}") as dave:
        await dave.ask({"type": "message", "room": room, "text": "The rules: be kind."})
        await dave.ask({"type": "pin", "room": room, "seq": 1})
        await fill(server, room, 120)
        alice = await enter("alice")
        pinned = alice.get_by_title("To the pinned message")
        await expect(message(alice, "line 120.")).to_be_visible()
        await expect(pinned).to_contain_text("The rules: be kind.")
        await alice.reload()
        await expect(pinned).to_contain_text("The rules: be kind.")
        await expect(message(alice, "The rules")).to_have_count(0)

        await dave.ask({"type": "edit", "room": room, "seq": 1, "text": "The rules: be very kind."})
        await expect(pinned).to_contain_text("The rules: be very kind.")
        await pinned.click()
        await expect(message(alice, "be very kind")).to_be_in_viewport()
        await dave.ask({"type": "pin", "room": room, "seq": 1, "on": False})
        await expect(pinned).to_have_count(0)


async def test_older_pages_load_without_moving_the_lines_that_are_read(
    enter: Enter, server: WebServer, room: str
) -> None:
    await fill(server, room, 300)
    alice = await enter("alice")
    await expect(message(alice, "line 300.")).to_be_in_viewport()
    # The second page loads by itself, because the first one is short; the third one only when the reader asks.
    await expect(message(alice, "line 201.")).to_have_count(1)
    await expect(message(alice, "line 151.")).to_have_count(0)

    await alice.evaluate(
        """() => {
            const view = document.querySelector('[role=log]');
            window.jumps = [];
            const watch = () => {
                const line = [...view.querySelectorAll('.message')].find((e) => e.textContent.includes('line 205.'));
                if (line) window.jumps.push(line.getBoundingClientRect().top);
                window.watching = requestAnimationFrame(watch);
            };
            view.scrollTop = 0;
            watch();
        }"""
    )
    await expect(message(alice, "line 151.")).to_have_count(1)
    tops = await alice.evaluate("(cancelAnimationFrame(window.watching), window.jumps)")
    assert max(tops) - min(tops) < 1.5, tops

    for first in (101, 51, 1):
        await scroll_to_top(alice)
        await expect(message(alice, f"line {first}.").first).to_be_attached()
    await expect(alice.get_by_text("It begins here.")).to_have_count(1)
    await expect(message(alice, "line 300.")).to_have_count(1)


async def test_a_reader_who_scrolls_up_just_as_a_message_comes_is_not_moved_back(
    enter: Enter, server: WebServer, room: str
) -> None:
    await fill(server, room, 60)
    alice, bob = await enter("alice"), await enter("bob")
    # The browser reports a scroll only in its next frame; the message comes before that.
    await alice.add_init_script(
        """window.WebSocket = class extends WebSocket {
            constructor(...options) {
                super(...options);
                this.addEventListener('message', ({ data }) => {
                    if (data.includes('news')) document.querySelector('[role=log]').scrollTop = 0;
                });
            }
        };"""
    )
    await alice.reload()
    await expect(message(alice, "line 60.")).to_be_in_viewport()
    await expect_live(alice)

    await say(bob, "news")

    await expect(message(alice, "news")).to_have_count(1)
    await expect(message(alice, "line 1.").first).to_be_in_viewport()
    await expect(alice.get_by_role("button", name="To the latest message")).to_be_visible()


async def test_a_new_message_does_not_move_a_reader_further_up(enter: Enter, server: WebServer, room: str) -> None:
    await fill(server, room, 60)
    alice, bob = await enter("alice"), await enter("bob")
    await expect(message(alice, "line 60.")).to_be_in_viewport()
    await message(alice, "line 30.").scroll_into_view_if_needed()
    await alice.mouse.move(5, 5)
    before = await top_of(alice, "line 30.")

    await say(bob, "news")

    await expect(alice.get_by_role("button", name="To the latest message, 1 new")).to_be_visible()
    assert abs(await top_of(alice, "line 30.") - before) < 1.5
    await alice.get_by_role("button", name="To the latest message").click()
    await expect(message(alice, "news")).to_be_in_viewport()
    await expect(alice.get_by_role("button", name="To the latest message")).to_have_count(0)


async def test_a_message_can_be_acted_on_by_touch(enter: Enter) -> None:
    alice, bob = await enter("alice", **PHONE), await enter("bob")
    await say(bob, "touch me")

    # A phone has no mouse, but entering has left a pointer on the page.
    await alice.mouse.move(0, 0)
    await message(alice, "touch me").tap()
    await alice.get_by_role("button", name="React").tap()
    await alice.get_by_role("button", name="heart").tap()

    await expect(bob.get_by_role("button", name="\N{HEAVY BLACK HEART}\ufe0f 1, by alice")).to_be_visible()
    assert await alice.evaluate("document.documentElement.scrollWidth <= visualViewport.width")


async def test_a_long_pinned_message_fits_a_phone(enter: Enter) -> None:
    alice, bob = await enter("alice", **PHONE), await enter("bob")
    await say(bob, "long " * 40)
    await act(bob, "long", "Pin")

    await expect(alice.get_by_title("To the pinned message")).to_be_visible()
    assert await alice.evaluate("document.documentElement.scrollWidth <= visualViewport.width")
