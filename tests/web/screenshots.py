"""Takes the pictures of the README: `.venv/bin/python -m tests.web.screenshots`.

Only the conversation is made up: each of its speakers has a page of their own, on a real server.
"""

import asyncio
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from playwright.async_api import Browser, Page, ViewportSize, async_playwright

from tests.conftest import BROWSER_OPTIONS
from tests.servers import REPOSITORY, find_program, hubbub_server
from tests.web.pages import act, message, say

IMAGES = REPOSITORY / "docs/images"
SIZE: ViewportSize = {"width": 1280, "height": 800}

OTHERS = ("Ada King", "Priya", "Mehmet", "Zoë")
ROOMS = ("releases", "kitchen")
CONVERSATION = (
    ("Ada King", "Good morning! The release candidate is on staging: https://staging.example.com"),
    ("Mehmet", "Already looking. The new search is a joy."),
    ("sam", "I went through the whole list last night, and every box is ticked."),
    ("Priya", "Lovely. Then only three things are left:\n1. the release notes\n2. a screenshot\n3. cake"),
    ("Ada King", "@sam can you take the screenshot?"),
    ("sam", "On it. Light or dark?"),
    ("Mehmet", "Both, of course!"),
)

REACTIONS = {
    "I went through the whole list last night, and every box is ticked.": (("Ada King", "party"), ("Priya", "party")),
    "On it. Light or dark?": (("Mehmet", "eyes"),),
}


async def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, hubbub_server(Path(folder)) as server:
        async with async_playwright() as playwright, AsyncExitStack() as stack:
            browser = await playwright.chromium.launch(
                executable_path=find_program("chromium", package="chromium"), args=BROWSER_OPTIONS
            )
            stack.push_async_callback(browser.close)
            pages = {name: await enter(browser, server.url, name) for name in (*OTHERS, "sam")}
            await converse(pages)
            sam = pages["sam"]
            await sam.screenshot(path=IMAGES / "chat.png", animations="disabled")
            await sam.emulate_media(color_scheme="dark")
            await sam.screenshot(path=IMAGES / "chat-dark.png", animations="disabled")


async def enter(browser: Browser, url: str, name: str) -> Page:
    context = await browser.new_context(viewport=SIZE, device_scale_factor=2, locale="en-GB")
    page = await context.new_page()
    await page.goto(url)
    await page.get_by_label("Your name").fill(name)
    await page.get_by_role("button", name="Start chatting").click()
    await page.get_by_text("Live", exact=True).wait_for()
    return page


async def converse(pages: dict[str, Page]) -> None:
    sam = pages["sam"]
    for room in ROOMS:
        await sam.get_by_label("Join or create a room").fill(room)
        await sam.keyboard.press("Enter")
    await sam.get_by_role("button", name="general", exact=True).click()
    for name, text in CONVERSATION:
        await say(pages[name], text)
        await sam.get_by_role("log").get_by_text(text.splitlines()[0][:12]).last.wait_for()
        if text in REACTIONS:
            await react(pages, text)
    await act(pages["Zoë"], "three things", "Reply")
    await say(pages["Zoë"], "I'll bring the cake!")
    await act(pages["Priya"], "three things", "Pin")
    await sam.get_by_title("To the pinned message").wait_for()
    for name, room, text in (("Mehmet", "releases", "0.1.0 is tagged."), ("Priya", "kitchen", "@sam cake at four")):
        await pages[name].get_by_label("Join or create a room").fill(room)
        await pages[name].keyboard.press("Enter")
        await say(pages[name], text)
    await sam.get_by_label("1 new, you were mentioned").wait_for()
    await pages["Ada King"].get_by_label("Message in").press_sequentially("Cake")
    await sam.get_by_text("Ada King is typing").wait_for()


async def react(pages: dict[str, Page], text: str) -> None:
    for name, emoji in REACTIONS[text]:
        await act(pages[name], text, "React")
        await pages[name].get_by_role("button", name=emoji).click()
        await pages[name].mouse.move(0, 0)
    await message(pages["sam"], text).get_by_role("list", name="Reactions").wait_for()


if __name__ == "__main__":
    asyncio.run(main())
