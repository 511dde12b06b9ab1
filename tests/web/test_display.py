"""The page as readers set their devices: without motion, enlarged, from right to left, in colours of their own."""

import pytest
from playwright.async_api import Page, expect

from tests.people import person
from tests.servers import WebServer
from tests.web.accessibility import fits
from tests.web.pages import Enter, message, say

pytestmark = pytest.mark.anyio

CUT_OFF = """() => {
    const texts = document.querySelectorAll('h1, h2, p, button, label, dt, dd, li, kbd, time');
    const isShown = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
    const mayEnd = (element) =>
        element.closest('.visually-hidden') || getComputedStyle(element).textOverflow === 'ellipsis' ||
        element.querySelector('.name, .text');
    const [left, right] = [0, document.documentElement.clientWidth];
    return [...texts]
        .filter((element) => isShown(element) && !mayEnd(element))
        .filter((element) => {
            const box = element.getBoundingClientRect();
            return box.left < left - 1 || box.right > right + 1 || element.scrollWidth > element.clientWidth + 1
                && getComputedStyle(element).overflowX !== 'visible';
        })
        .map((element) => element.outerHTML.slice(0, 200));
}"""
"""Texts that leave the window, or that an element around them cuts off without a sign."""


async def nothing_is_cut_off(page: Page) -> None:
    await fits(page)
    assert await page.evaluate(CUT_OFF) == []


async def test_nothing_moves_for_those_who_want_less_motion(enter: Enter, server: WebServer, room: str) -> None:
    alice = await enter("alice", reduced_motion="reduce", viewport={"width": 700, "height": 600})
    await expect(alice.get_by_role("main")).to_contain_text("1 online")
    async with person(server, f"bob-in-{room}", path=f"/ws/chat/{room}") as bob:
        await bob.send({"type": "typing", "room": room})
        await expect(alice.get_by_text("is typing")).to_be_visible()
        await alice.get_by_role("button", name="People").press("Enter")
        await expect(alice.get_by_role("dialog", name="People")).to_be_visible()

        assert await alice.evaluate("document.getAnimations().length") == 0
        await alice.emulate_media(reduced_motion="no-preference")
        assert await alice.evaluate("document.getAnimations().length") > 0


@pytest.mark.parametrize("window", [{"width": 640, "height": 400}, {"width": 320, "height": 400}], ids=["200%", "400%"])
async def test_an_enlarged_page_cuts_nothing_off(enter: Enter, window: dict[str, int]) -> None:
    """A window of 1280 × 800 at 200 %, and at 400 % as WCAG 1.4.10 wants it."""
    alice = await enter("alice", reduced_motion="reduce", viewport=window)
    await say(alice, "A message of some length, with a-word-that-is-as-long-as-words-get-in-some-languages-or-longer")
    await expect(alice.get_by_role("article")).to_be_in_viewport()
    await nothing_is_cut_off(alice)
    await expect(alice.get_by_role("button", name="Send")).to_be_in_viewport(ratio=1)

    await alice.get_by_role("log").focus()
    for keys in ("Control+k", "?"):
        await alice.keyboard.press(keys)
        await expect(alice.get_by_role("dialog").locator("input, button").first).to_be_focused()
        await nothing_is_cut_off(alice)
        await alice.keyboard.press("Escape")
        await expect(alice.get_by_role("dialog")).to_have_count(0)
    for name in ("People", "Rooms"):
        await alice.get_by_role("button", name=name).press("Enter")
        await expect(alice.get_by_role("dialog", name=name)).to_be_visible()
        await nothing_is_cut_off(alice)
        await alice.keyboard.press("Escape")


async def test_from_right_to_left_the_page_is_its_own_mirror_image(enter: Enter, server: WebServer, room: str) -> None:
    alice = await enter("alice", reduced_motion="reduce")
    async with person(server, f"bob-in-{room}", path=f"/ws/chat/{room}") as bob:
        for text in ("שלום לכולם", "Hello (you)!", "\u202eoverride"):
            await bob.ask({"type": "message", "room": room, "text": text})
    await say(alice, "mine")
    await expect(alice.get_by_role("article")).to_have_count(4)
    places = """() => ['aside:first-child', 'main', 'aside:last-child', 'main header button', '.mine p', '.face']
        .map((selector) => document.querySelector(selector).getBoundingClientRect())
        .map(({ left, right }) => [Math.round(left), Math.round(innerWidth - right)])"""
    from_left = await alice.evaluate(places)

    await alice.evaluate("document.documentElement.dir = 'rtl'")

    assert await alice.evaluate(places) == [[right, left] for left, right in from_left]
    await nothing_is_cut_off(alice)
    # Each text keeps its own direction.
    for text, direction in (("שלום", "rtl"), ("Hello", "ltr"), ("mine", "ltr")):
        words = message(alice, text).locator(".body > p").first
        assert await words.evaluate("element => getComputedStyle(element).direction") == direction
    # The arrow keys follow the eye.
    await alice.get_by_role("log").focus()
    await alice.keyboard.press("ArrowUp")
    await expect(alice.get_by_role("toolbar")).to_be_visible()
    await alice.keyboard.press("Tab")
    await alice.keyboard.press("ArrowLeft")
    await expect(alice.get_by_role("button", name="Reply")).to_be_focused()


async def test_what_is_chosen_shows_in_a_readers_own_colours(enter: Enter, room: str) -> None:
    alice = await enter("alice", forced_colors="active", reduced_motion="reduce")
    outline = "element => getComputedStyle(element).outlineStyle"
    assert await alice.get_by_role("button", name=room, exact=True).evaluate(outline) == "solid"
    assert await alice.get_by_role("button", name="general", exact=True).evaluate(outline) == "none"

    await alice.keyboard.press("Control+k")
    await alice.keyboard.type("g")
    assert await alice.get_by_role("option", selected=True).evaluate(outline) == "solid"
