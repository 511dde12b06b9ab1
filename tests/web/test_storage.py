"""What the page stores on a device: shared by two tabs of one person, or impossible because the storage is full."""

import pytest
from playwright.async_api import Page, expect

from tests.conftest import PageFactory
from tests.people import person
from tests.servers import WebServer
from tests.web.pages import Enter, everything_is_sent, expect_live, message, say

pytestmark = pytest.mark.anyio

FILL = """() => {
    for (let size = 2 ** 22; size >= 1; size /= 2) {
        try {
            for (let count = 0; ; count += 1) localStorage.setItem(`filler ${size} ${count}`, 'x'.repeat(size));
        } catch {}
    }
}"""
"""Until not even one character fits."""


async def test_a_full_storage_keeps_nobody_from_chatting(server: WebServer, new_page: PageFactory, room: str) -> None:
    alice = await new_page()
    await alice.goto(f"{server.url}/#{room}")
    await alice.evaluate(FILL)
    await alice.get_by_label("Your name").fill(f"alice-in-{room}")
    await alice.keyboard.press("Enter")
    await expect_live(alice)
    async with person(server, f"bob-in-{room}", path=f"/ws/chat/{room}") as bob:
        await alice.get_by_label("Message in").press_sequentially("Nothing fits")
        await alice.keyboard.press("Enter")
        await bob.expect("message", text="Nothing fits")
        await alice.get_by_role("button", name="Theme: system").click()
        await alice.get_by_label("Join or create a room").fill(f"{room}-2")
        await alice.keyboard.press("Enter")
        await say(alice, "neither here")
        await expect(message(alice, "neither here")).to_be_visible()
        await expect(alice.get_by_text("Sending")).to_have_count(0)
        await expect(alice.get_by_role("alert")).to_have_count(0)
    assert await alice.evaluate("Object.keys(localStorage).every(name => name.startsWith('filler'))")


async def another_tab(page: Page, server: WebServer, room: str) -> Page:
    tab = await page.context.new_page()
    await tab.goto(f"{server.url}/#{room}")
    await tab.get_by_role("button", name="Start chatting").click()
    await expect_live(tab)
    return tab


async def test_a_draft_that_is_sent_in_one_tab_leaves_the_field_of_the_other(
    enter: Enter, server: WebServer, room: str
) -> None:
    here = await enter("alice")
    there = await another_tab(here, server, room)
    await here.get_by_label("Message in").fill("half a sent")
    await expect(there.get_by_label("Message in")).to_have_value("half a sent")

    await here.get_by_label("Message in").fill("a whole sentence")
    await here.get_by_label("Message in").press("Enter")

    await expect(there.get_by_label("Message in")).to_have_value("")
    for tab in (here, there):
        await expect(message(tab, "a whole sentence")).to_have_count(1)


async def test_a_message_that_waits_in_one_tab_is_not_sent_twice_when_the_other_tab_sends_it(
    enter: Enter, server: WebServer, room: str
) -> None:
    here = await enter("alice")
    there = await another_tab(here, server, room)
    await here.evaluate("window.dispatchEvent(new Event('offline'))")
    await expect(here.get_by_text("You are offline")).to_be_visible()
    await say(here, "once")
    await expect(message(here, "once")).to_contain_text("Waiting for the connection")

    # A tab sends what waits on this device when it starts.
    await there.reload()
    await everything_is_sent(there)
    await here.evaluate("window.dispatchEvent(new Event('online'))")
    await expect_live(here)
    await say(here, "and after it")

    for tab in (here, there):
        await expect(tab.get_by_role("article").locator(".body")).to_have_text(["once", "and after it"])
