"""The main paths by keyboard alone: in few stops, with the focus where one goes on, and what a screen reader finds."""

import pytest
from playwright.async_api import Locator, Page, expect

from tests.conftest import PageFactory
from tests.servers import WebServer
from tests.web.pages import Enter, everything_is_sent, message, say
from tests.web.test_navigation import expect_room

pytestmark = pytest.mark.anyio


async def press(page: Page, *keys: str) -> None:
    for key in keys:
        await page.keyboard.press(key)


async def tab_to(target: Locator, *, within: int, key: str = "Tab") -> None:
    """Goes there in at most this number of stops."""
    for _ in range(within):
        await target.page.keyboard.press(key)
        if await target.and_(target.page.locator(":focus")).count():
            return
    raise AssertionError(f"{target} is not among the first {within} stops")


async def come_in(page: Page, name: str) -> None:
    await expect(page.get_by_label("Your name")).to_be_focused()
    await expect(page.get_by_role("main")).to_match_aria_snapshot("""
        - main:
          - heading "Come on in" [level=1]
          - textbox "Your name" [active]
          - button "Start chatting" [disabled]
          - 'button "Language: English"'
    """)
    await page.keyboard.type(name)
    await press(page, "Enter")


async def switch(page: Page, room: str) -> None:
    """From wherever the focus is, which gets it back after Escape."""
    before = await page.locator(":focus").element_handle()
    await press(page, "Control+k", "Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    assert await page.evaluate("before => before === document.activeElement", before)

    await press(page, "Control+k")
    await page.keyboard.type(room)
    option = page.get_by_role("option", name=room)
    await expect(option).to_be_visible()
    await expect(page.get_by_role("dialog")).to_match_aria_snapshot("""
        - dialog "Go to":
          - combobox "Go to a room or a person" [expanded] [active]
          - listbox "Go to a room or a person":
            - option /join or create/ [selected]
    """)
    await press(page, "Enter")
    await expect_room(page, room)


async def write(page: Page, text: str) -> None:
    await expect(page.get_by_label("Message in")).to_be_focused()
    await page.keyboard.type(text)
    await press(page, "Enter")
    await expect(message(page, text)).to_be_visible()
    await everything_is_sent(page)


async def to_latest_line(page: Page) -> None:
    """From the composer."""
    await tab_to(page.get_by_role("log"), within=1, key="Shift+Tab")
    await press(page, "ArrowUp")
    await expect(page.get_by_role("article").last).to_be_focused()
    await expect(page.get_by_role("article").last.get_by_role("toolbar")).to_be_visible()


async def act_on_lines(page: Page) -> None:
    """Edits, answers, reacts to, pins and deletes what was written."""
    focused, composer = page.locator(":focus"), page.get_by_label("Message in")
    await press(page, "ArrowUp", "!", "Enter")
    await expect(message(page, "first!")).to_contain_text("edited")
    await expect(composer).to_be_focused()

    await to_latest_line(page)
    await expect(page.get_by_role("article")).to_match_aria_snapshot("""
        - article /first!, .*, edited/ [active]:
          - time
          - paragraph: first!
          - toolbar "Message actions":
            - button "React"
            - button "Reply"
            - button "Pin"
            - button "Copy link"
            - button "Edit"
            - button "Delete"
    """)
    await press(page, "Tab", "ArrowRight", "Enter")
    await expect(page.get_by_text("Reply to")).to_be_visible()
    await write(page, "second")

    await to_latest_line(page)
    await press(page, "Tab", "Tab", "Enter")  # past the quote
    await expect(page.get_by_role("button", name="thumbs up")).to_be_focused()
    await expect(page.get_by_role("dialog")).to_match_aria_snapshot("""
        - dialog "React with an emoji":
          - toolbar "Common emoji":
            - button "thumbs up" [active]
          - textbox "Another emoji"
          - button "React" [disabled]
    """)
    await press(page, "ArrowRight", "Enter")
    await expect(page.get_by_role("button", name="❤️ 1, by you")).to_be_visible()
    await expect(focused).to_have_accessible_name("React")

    await press(page, "ArrowRight", "ArrowRight", "Enter")
    await expect(page.get_by_role("button", name="1 pinned")).to_be_visible()
    await expect(focused).to_have_accessible_name("Unpin")
    await press(page, "Escape")
    await expect(message(page, "second")).to_be_focused()

    await press(page, "ArrowUp")
    await expect(message(page, "first!").first.get_by_role("toolbar")).to_be_visible()
    await press(page, "Tab", "End", "Enter")
    await expect(page.get_by_role("dialog")).to_match_aria_snapshot("""
        - dialog "Delete this message?":
          - heading "Delete this message?" [level=2]
          - blockquote: first!
          - button "Keep it" [active]
          - button "Delete"
    """)
    await press(page, "Escape")
    await expect(focused).to_have_accessible_name("Delete")
    await press(page, "Enter")
    await expect(page.get_by_role("button", name="Keep it")).to_be_focused()
    await press(page, "Tab", "Enter")
    await expect(message(page, "This message was deleted.").first).to_be_focused()
    await press(page, "Escape")
    await expect(page.get_by_role("log")).to_be_focused()


async def look_around(page: Page) -> None:
    """From the conversation to its pinned messages, and to the people."""
    pins, people = page.get_by_role("button", name="1 pinned"), page.get_by_role("button", name="People")
    await tab_to(pins, within=1, key="Shift+Tab")
    await press(page, "Enter")
    await expect(page.get_by_role("dialog")).to_match_aria_snapshot("""
        - dialog "Pinned messages":
          - heading "1 pinned" [level=2]
          - list:
            - listitem:
              - button /second/
              - button /Unpin .*second/
    """)
    await press(page, "Escape")
    await expect(pins).to_be_focused()

    await tab_to(people, within=2, key="Shift+Tab")
    await press(page, "Enter")
    await expect(page.get_by_role("complementary", name="People")).to_have_count(0)
    await press(page, "Enter")
    await expect(people).to_be_focused()
    await expect(page.get_by_role("complementary", name="People")).to_match_aria_snapshot("""
        - complementary "People":
          - region "Who is here":
            - heading "1 online" [level=2]
            - list:
              - listitem:
                - button /you/
    """)


async def browse(page: Page, room: str) -> None:
    button = page.get_by_role("button", name="Browse all rooms")
    await tab_to(button, within=7, key="Shift+Tab")
    for key in ("Enter", "Escape", "Enter"):
        await press(page, key)
        await expect(button if key == "Escape" else page.get_by_role("combobox", name="Search rooms")).to_be_focused()
    await page.keyboard.type(room)
    await expect(page.get_by_role("option", name="join or create")).to_be_visible()
    await expect(page.get_by_role("dialog")).to_match_aria_snapshot("""
        - dialog "All rooms":
          - heading "All rooms" [level=2]
          - combobox "Search rooms" [expanded] [active]
          - listbox "Search rooms":
            - option /join or create/ [selected]
    """)
    await press(page, "Enter")
    await expect_room(page, room)
    await expect(page.get_by_label("Message in")).to_be_focused()


async def leave(page: Page, room: str) -> None:
    line = page.get_by_role("button", name=room, exact=True)
    await tab_to(line, within=9, key="Shift+Tab")
    await press(page, "ArrowRight", "Enter")
    await expect(page.get_by_role("menu")).to_match_aria_snapshot(f"""
        - menu "Actions for {room}":
          - menuitem "Add to favourites" [active]
          - menuitem "Copy link"
          - menuitem "Leave the room"
    """)
    await press(page, "Escape")
    await expect(page.get_by_role("button", name=f"Actions for {room}", exact=True)).to_be_focused()
    await press(page, "Enter", "End", "Enter")
    await expect(line).to_have_count(0)
    # The next room is shown.
    await expect(page.get_by_label("Message in")).to_be_focused()


async def test_the_main_paths_need_no_mouse(server: WebServer, new_page: PageFactory, room: str) -> None:
    ada = await new_page()
    await ada.goto(f"{server.url}/#{room}")
    await come_in(ada, f"Ada {room}")
    await expect_room(ada, room)
    await expect(ada.get_by_label("Message in")).to_be_focused()
    await switch(ada, f"{room}-2")
    await write(ada, "first")
    await act_on_lines(ada)
    await look_around(ada)
    await browse(ada, f"{room}-3")
    await leave(ada, f"{room}-3")


async def test_the_tab_key_passes_the_links_of_all_lines_but_the_focused_one(enter: Enter, room: str) -> None:
    alice = await enter("alice")
    for number in range(5):
        await say(alice, f"https://a.example/{number} https://b.example/{number}")
    await expect(alice.get_by_role("article")).to_have_count(5)
    log, lines, composer = alice.get_by_role("log"), alice.get_by_role("article"), alice.get_by_label("Message in")
    toolbar = alice.get_by_role("toolbar")

    await log.focus()
    for keys, stop in (
        ("Tab", composer),
        ("Shift+Tab", log),
        ("ArrowUp", lines.last),
        ("ArrowUp", lines.nth(3)),
        ("Tab", alice.get_by_role("link", name="https://a.example/3")),
        ("Tab", alice.get_by_role("link", name="https://b.example/3")),
        ("Tab", toolbar.get_by_role("button", name="React")),
        ("ArrowRight", toolbar.get_by_role("button", name="Reply")),
        ("Shift+Tab", alice.get_by_role("link", name="https://b.example/3")),
        ("Tab", toolbar.get_by_role("button", name="Reply")),
        ("Tab", composer),
        ("Shift+Tab", log),
        ("ArrowUp", lines.last),
        ("Tab", alice.get_by_role("link", name="https://a.example/4")),
        ("Shift+Tab", lines.last),
        ("Shift+Tab", log),
        ("ArrowUp", lines.last),
        ("Tab", alice.get_by_role("link", name="https://a.example/4")),
        ("Escape", lines.last),
        ("Escape", log),
    ):
        await alice.keyboard.press(keys)
        await expect(stop).to_be_focused()
        if keys == "ArrowUp":
            await expect(stop.get_by_role("toolbar")).to_be_visible()


async def test_a_message_that_the_mouse_leaves_has_no_buttons_also_after_a_click(enter: Enter) -> None:
    alice = await enter("alice")
    await say(alice, "words")
    toolbar = message(alice, "words").get_by_role("toolbar")
    for action in ("Pin", "Unpin", "Copy link"):
        await message(alice, "words").hover()
        await toolbar.get_by_role("button", name=action).click()
        await alice.mouse.move(5, 5)

        await expect(toolbar).to_have_count(0)
