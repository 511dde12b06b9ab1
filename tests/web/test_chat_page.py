"""The page in a real browser, against a real server: what people see when they chat."""

import re
from contextlib import AsyncExitStack

import pytest
from playwright.async_api import Dialog, expect
from websockets.asyncio.client import connect

from tests.servers import WebServer
from tests.web.pages import PHONE, Enter, expect_live, leave, say

pytestmark = pytest.mark.anyio

HOSTILE_TEXT = (
    "<img src=x onerror=alert(1)> <script>alert(2)</script> {@html '<b>'} \u202egnippilf\u202c javascript:alert(3)"
)
HOSTILE_NAME = "<b onmouseover=alert(4)>Mallory</b>"


async def test_two_people_choose_names_and_talk(enter: Enter) -> None:
    alice, bob = await enter("alice"), await enter("bob")

    await say(alice, "Hello Bob!")
    await expect(bob.get_by_role("log").get_by_text("Hello Bob!")).to_be_visible()
    await bob.get_by_label("Message in").fill("Hello Alice!")
    await bob.keyboard.press("Enter")

    await expect(alice.get_by_role("article", name=re.compile("^bob"))).to_contain_text("Hello Alice!")
    await expect(bob.get_by_role("log").get_by_text("Hello Bob!")).to_have_count(1)


async def test_people_see_who_is_here_and_who_joins_and_leaves(enter: Enter, room: str) -> None:
    alice, bob = await enter("alice"), await enter("bob")
    people = alice.get_by_role("complementary", name="People")

    await expect(people.get_by_role("listitem")).to_contain_text(["alice", "bob"])
    await expect(alice.get_by_role("log")).to_contain_text("bob joined")
    await leave(bob, room)

    await expect(people.get_by_role("listitem")).to_contain_text(["alice"])
    await expect(people).to_contain_text("1 online")


async def test_people_see_who_is_typing(enter: Enter) -> None:
    alice, bob = await enter("alice"), await enter("bob")
    # A client that has not joined yet cannot send that it is typing.
    await expect(bob.get_by_role("complementary", name="People")).to_contain_text("alice")

    await bob.get_by_label("Message in").press_sequentially("Hm")
    await expect(alice.get_by_text("bob is typing")).to_be_visible()
    await bob.get_by_label("Message in").clear()

    await expect(alice.get_by_text("bob is typing")).to_be_hidden()


async def test_messages_in_another_room_are_counted(enter: Enter) -> None:
    alice, bob = await enter("alice", room="kitchen"), await enter("bob", room="general")
    await expect(alice.get_by_role("button", name="general", exact=True)).to_be_visible()

    await say(bob, "Lunch, @alice?")

    await expect(alice.get_by_label("1 new, you were mentioned")).to_be_visible()
    assert await alice.title() == "(1) kitchen · Hubbub"
    await alice.get_by_role("button", name="general").first.click()
    await expect(alice.get_by_label("1 new, you were mentioned")).to_be_hidden()


async def test_a_room_can_be_joined_by_its_name(enter: Enter) -> None:
    alice, bob = await enter("alice"), await enter("bob", room="team-chat")

    await alice.get_by_label("Join or create a room").fill("#team chat")
    await alice.keyboard.press("Enter")
    await say(alice, "Found you.")

    await expect(bob.get_by_role("log").get_by_text("Found you.")).to_be_visible()


async def test_a_reload_keeps_name_and_rooms(enter: Enter) -> None:
    alice = await enter("alice")
    await alice.get_by_label("Join or create a room").fill("kitchen")
    await alice.keyboard.press("Enter")

    await alice.reload()

    await expect_live(alice)
    await expect(alice.get_by_role("heading", name="kitchen", level=1)).to_be_visible()
    await expect(alice.get_by_role("button", name="general").first).to_be_visible()


async def test_two_tabs_of_one_browser_can_be_two_people(enter: Enter) -> None:
    alice = await enter("alice")
    tab = await alice.context.new_page()
    await tab.goto(alice.url)

    await expect(tab.get_by_label("Your name")).to_have_value("alice")
    await tab.get_by_label("Your name").fill("bobby")
    await tab.keyboard.press("Enter")

    await expect(alice.get_by_role("log")).to_contain_text("bobby joined")


async def test_a_long_name_hides_nothing(enter: Enter) -> None:
    alice = await enter("alice-with-a-name-that-is-longer-than-the-list-of-rooms-is-wide")

    for name in ("Join", "Use another name"):
        await expect(alice.get_by_role("button", name=name, exact=True)).to_be_in_viewport(ratio=1)
    # Nothing covers it.
    await alice.get_by_role("button", name="Use another name").click(trial=True)


async def test_all_of_a_large_room_are_listed_and_found(enter: Enter, server: WebServer, room: str) -> None:
    alice = await enter("alice")
    async with AsyncExitStack() as crowd:
        for number in range(120):
            url = f"{server.ws_url}/ws/chat/{room}?username=member{number}"
            # Nobody reads from these; with a full queue, closing them would wait for a reader.
            await crowd.enter_async_context(connect(url, max_queue=None))
        await alice.reload()
        people = alice.get_by_role("complementary", name="People")
        await expect(people).to_contain_text("121 online")
        await expect(alice.get_by_role("log")).not_to_contain_text("member119 joined")

        await expect(people.get_by_role("listitem").first).to_contain_text("alice")
        for number in (20, 90):
            await people.get_by_role("listitem").nth(number).scroll_into_view_if_needed()
        await expect(people.get_by_role("listitem")).to_have_count(121)

        await people.get_by_label("Search people").fill("R11")
        found = [f"member{number}" for number in (11, *range(110, 120))]
        await expect(people.get_by_role("listitem").locator("bdi")).to_have_text(found)
        await people.get_by_label("Search people").fill("nobody")
        await expect(people.get_by_role("status")).to_have_text("Nobody here has such a name.")


async def test_markup_scripts_and_bidi_overrides_are_only_text(enter: Enter) -> None:
    alice, mallory = await enter("alice"), await enter(HOSTILE_NAME)
    dialogs: list[str] = []

    def note(dialog: Dialog) -> None:
        dialogs.append(dialog.message)

    alice.on("dialog", note)

    await say(mallory, HOSTILE_TEXT)

    message = alice.get_by_role("article").get_by_text("onerror")
    await expect(message).to_be_visible()
    assert await message.text_content() == HOSTILE_TEXT
    assert await message.evaluate("element => getComputedStyle(element).unicodeBidi") == "isolate"
    await expect(alice.get_by_role("article").get_by_text(HOSTILE_NAME)).to_be_visible()
    assert await message.locator("img, script").count() == 0
    assert not dialogs


async def test_a_web_address_is_a_link_without_a_referrer(enter: Enter) -> None:
    alice = await enter("alice")

    await say(alice, "see https://example.com/a?b=1.")

    link = alice.get_by_role("log").get_by_role("link")
    await expect(link).to_have_attribute("href", "https://example.com/a?b=1")
    await expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")


async def test_on_a_phone_rooms_and_people_are_in_drawers(enter: Enter) -> None:
    alice = await enter("alice", **PHONE)

    await expect(alice.get_by_role("navigation", name="My rooms")).to_be_hidden()
    await alice.get_by_role("button", name="Rooms").click()
    await alice.get_by_label("Join or create a room").fill("kitchen")
    await alice.keyboard.press("Enter")
    await expect(alice.get_by_role("heading", name="kitchen", level=1)).to_be_visible()
    await expect(alice.get_by_role("navigation", name="My rooms")).to_be_hidden()
    await alice.get_by_role("button", name="People").click()
    await expect(alice.get_by_role("dialog", name="People")).to_contain_text("alice")
    await alice.keyboard.press("Escape")

    await expect(alice.get_by_role("dialog")).to_be_hidden()
    assert await alice.evaluate("document.documentElement.scrollWidth <= visualViewport.width")


async def test_the_page_is_light_or_dark_as_the_device_or_the_reader_wants(enter: Enter) -> None:
    alice = await enter("alice", color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = await alice.evaluate(ground)

    await alice.get_by_role("button", name="Theme: system").click()
    await expect(alice.get_by_role("button", name="Theme: light")).to_be_visible()

    assert await alice.evaluate(ground) != dark
    await alice.reload()
    assert await alice.evaluate(ground) != dark
