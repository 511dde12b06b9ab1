"""One message: how a screen reader reads it, and what its buttons cover."""

import re
from typing import Any

import pytest
from playwright.async_api import FloatRect, Locator, expect

from tests.web.pages import PHONE, Enter, act, message, say

pytestmark = pytest.mark.anyio

on_each_device = pytest.mark.parametrize("device", [{}, PHONE], ids=["desktop", "phone"])

LONG = "a long sentence that fills its line and goes on to the next, " * 6


async def test_a_message_is_read_with_author_text_and_time(enter: Enter) -> None:
    alice, bob = await enter("alice"), await enter("bob")
    await say(bob, "first words")
    await say(bob, "second words")
    await act(alice, "second words", "Reply")
    await say(alice, "an answer")
    await alice.get_by_role("log").focus()
    await alice.keyboard.press("ArrowUp")
    await expect(message(alice, "an answer")).to_be_focused()

    for text, name in (
        ("first words", r"^bob: first words, \d+:\d\d"),
        ("second words", r"^bob: second words, \d+:\d\d"),
        ("an answer", r"^alice, answering bob: an answer, \d+:\d\d"),
    ):
        await expect(message(alice, text)).to_have_accessible_name(re.compile(name))
    # New lines are announced once: the log is a live region, and nothing in it is another one.
    await expect(alice.get_by_role("log")).to_have_attribute("aria-live", "polite")
    await expect(alice.get_by_role("log").locator("[aria-live], [role=status], [role=alert]")).to_have_count(0)


async def test_a_changed_message_is_read_in_its_current_state(enter: Enter) -> None:
    alice = await enter("alice")
    await say(alice, "first words")
    await act(alice, "first words", "Edit")
    await alice.get_by_label("Message in").fill("better words")
    await alice.keyboard.press("Enter")
    await expect(alice.get_by_role("article")).to_have_accessible_name(
        re.compile(r"^alice: better words, \d+:\d\d.*, edited$")
    )

    await act(alice, "better words", "Delete")
    await alice.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(alice.get_by_role("article")).to_have_accessible_name(
        re.compile(r"^alice: This message was deleted\., \d+:\d\d")
    )


async def box_of(thing: Locator) -> FloatRect:
    box = await thing.bounding_box()
    assert box is not None
    return box


def overlap(one: FloatRect, other: FloatRect) -> bool:
    beside = one["x"] + one["width"] <= other["x"] or other["x"] + other["width"] <= one["x"]
    above = one["y"] + one["height"] <= other["y"] or other["y"] + other["height"] <= one["y"]
    return not (beside or above)


@on_each_device
@pytest.mark.parametrize("text", ["ok", LONG], ids=["short", "long"])
async def test_the_buttons_cover_no_word_of_the_readers_own_messages(
    enter: Enter, device: dict[str, Any], text: str
) -> None:
    alice = await enter("alice", **device)
    texts = [f"{text} {number}." for number in range(3)]
    for one in texts:
        await say(alice, one)
    await expect(alice.get_by_role("article")).to_have_count(3)

    for one in texts:
        if device:
            await alice.mouse.move(0, 0)
            await message(alice, one).tap()
        else:
            await message(alice, one).hover()
        toolbar = message(alice, one).get_by_role("toolbar")
        await expect(toolbar).to_be_in_viewport(ratio=1)
        for words in texts:
            body = message(alice, words).locator(".body > p").first
            assert not overlap(await box_of(toolbar), await box_of(body)), (one, words)


async def test_the_buttons_cover_no_word_of_the_message_they_belong_to(enter: Enter) -> None:
    alice, bob = await enter("alice"), await enter("bob")
    for number in range(3):
        await say(bob, f"{LONG} {number}.")
    await expect(alice.get_by_role("article")).to_have_count(3)

    for number in range(3):
        await message(alice, f" {number}.").hover()
        toolbar = message(alice, f" {number}.").get_by_role("toolbar")
        body = message(alice, f" {number}.").locator(".body > p").first
        assert not overlap(await box_of(toolbar), await box_of(body))


async def test_a_narrow_window_leaves_my_own_messages_their_width(enter: Enter) -> None:
    alice = await enter("alice", viewport={"width": 390, "height": 844})
    for number in range(2):
        await say(alice, f"{LONG} {number}.")
    body = message(alice, " 1.").locator(".body > p").first
    assert (await box_of(body))["width"] > 250

    await message(alice, " 1.").hover()

    toolbar = message(alice, " 1.").get_by_role("toolbar")
    await expect(toolbar).to_be_in_viewport(ratio=1)
    assert not overlap(await box_of(toolbar), await box_of(body))


async def test_the_buttons_stay_with_their_message_when_the_lines_move_under_the_mouse(enter: Enter) -> None:
    alice, bob = await enter("alice"), await enter("bob")
    await say(alice, "first words")
    await say(alice, "second words")
    await expect(alice.get_by_role("article")).to_have_count(2)
    await message(alice, "first words").hover()
    pin = message(alice, "first words").get_by_role("button", name="Pin")
    await pin.hover()
    before = await box_of(pin)

    await say(bob, "A message that moves the others up.")
    await expect(message(alice, "moves the others")).to_be_visible()
    # A browser needs a few frames to report which element is under a resting mouse.
    await alice.evaluate(
        "async () => { for (let left = 20; left; left -= 1) await new Promise(requestAnimationFrame); }"
    )
    assert (await box_of(pin))["y"] < before["y"] - 20
    await alice.mouse.down()
    await alice.mouse.up()

    await say(alice, "third words")
    await expect(message(bob, "third words")).to_be_visible()
    await expect(alice.get_by_title("To the pinned message")).to_have_count(0)
    await expect(message(alice, "third words")).to_be_visible()
    await message(alice, "second words").hover()
    await expect(message(alice, "second words").get_by_role("toolbar")).to_be_visible()
