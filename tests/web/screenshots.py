"""Takes the pictures of the README: `.venv/bin/python -m tests.web.screenshots`.

Only the conversation is made up: each of its speakers has a page of their own, on a real server.
"""

import asyncio
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from playwright.async_api import Browser, Page, ViewportSize, async_playwright

from tests.conftest import BROWSER_OPTIONS
from tests.servers import REPOSITORY, WebServer, find_program, hubbub_server
from tests.web.pages import act, expect_live, message, say
from tests.web.people import PASSWORD, choose_of_account
from tests.web.test_private_rooms import make_private

IMAGES = REPOSITORY / "docs/images"
SIZE: ViewportSize = {"width": 1280, "height": 800}

SERVER = {"HUBBUB_SIGN_UP": "open", "HUBBUB_SIGN_UPS": "100"}
PEOPLE = {
    "sam": "Sam",
    "ada": "Ada King",
    "priya": "Priya",
    "mehmet": "Mehmet",
    "zoe": "Zoë",
}
"""Names by username. The first one administers the server."""
COLORS = {"sam": "#0f766e", "ada": "#1d4ed8", "zoe": "#be185d"}
ROOMS = ("releases", "kitchen")
PRIVATE = "Launch party"
CONVERSATION = (
    ("ada", "Good morning! The release candidate is on staging: https://staging.example.com"),
    ("mehmet", "Already looking. The new search is a joy."),
    ("sam", "I went through the whole list last night, and every box is ticked."),
    ("priya", "Lovely. Then only three things are left:\n1. the release notes\n2. a screenshot\n3. cake"),
    ("ada", "@sam can you take the screenshot?"),
    ("sam", "On it. Light or dark?"),
    ("mehmet", "Both, of course!"),
)

REACTIONS = {
    "I went through the whole list last night, and every box is ticked.": (("ada", "party"), ("priya", "party")),
    "On it. Light or dark?": (("mehmet", "eyes"),),
}


async def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, hubbub_server(Path(folder), environment=SERVER) as server:
        async with async_playwright() as playwright, AsyncExitStack() as stack:
            browser = await playwright.chromium.launch(
                executable_path=find_program("chromium", package="chromium"), args=BROWSER_OPTIONS
            )
            stack.push_async_callback(browser.close)
            pages = {username: await enter(browser, server, username) for username in PEOPLE}
            await converse(pages)
            sam = pages["sam"]
            await sam.screenshot(path=IMAGES / "chat.png", animations="disabled")
            await sam.emulate_media(color_scheme="dark")
            await sam.screenshot(path=IMAGES / "chat-dark.png", animations="disabled")
            await sam.emulate_media(color_scheme="light")
            await choose_of_account(sam, "Administration")
            await sam.get_by_role("tabpanel", name="People").get_by_text("Zoë").wait_for()
            await sam.screenshot(path=IMAGES / "administration.png", animations="disabled")


async def enter(browser: Browser, server: WebServer, username: str) -> Page:
    context = await browser.new_context(viewport=SIZE, device_scale_factor=2, locale="en-GB")
    page = await context.new_page()
    wanted = {"username": username, "password": PASSWORD, "name": PEOPLE[username]}
    if username == next(iter(PEOPLE)):
        wanted["setup"] = (server.folder / "hubbub-data/setup-link").read_text().strip().rpartition("/")[2]
    headers = {"Hubbub-CSRF": "1", "Origin": server.url}
    made = await context.request.post(f"{server.url}/api/v1/accounts", data=wanted, headers=headers)
    assert made.ok, await made.text()
    if username in COLORS:
        color = {"color": COLORS[username]}
        assert (await context.request.patch(f"{server.url}/api/v1/me", data=color, headers=headers)).ok
    await page.goto(server.url)
    await expect_live(page)
    return page


async def converse(pages: dict[str, Page]) -> None:
    sam = pages["sam"]
    for room in ROOMS:
        await sam.get_by_label("Join or create a room").fill(room)
        await sam.keyboard.press("Enter")
    await make_private(sam, PRIVATE, "ada", "priya")
    await sam.get_by_role("button", name="general", exact=True).click()
    for name, text in CONVERSATION:
        await say(pages[name], text)
        await sam.get_by_role("log").get_by_text(text.splitlines()[0][:12]).last.wait_for()
        if text in REACTIONS:
            await react(pages, text)
    await act(pages["zoe"], "three things", "Reply")
    await say(pages["zoe"], "I'll bring the cake!")
    await act(pages["priya"], "three things", "Pin")
    await sam.get_by_title("To the pinned message").wait_for()
    for name, room, text in (("mehmet", "releases", "0.1.0 is tagged."), ("priya", "kitchen", "@sam cake at four")):
        await pages[name].get_by_label("Join or create a room").fill(room)
        await pages[name].keyboard.press("Enter")
        await say(pages[name], text)
    await sam.get_by_label("1 new, you were mentioned").wait_for()
    await pages["ada"].get_by_label("Message in").press_sequentially("Cake")
    await sam.get_by_text("Ada King is typing").wait_for()


async def react(pages: dict[str, Page], text: str) -> None:
    for name, emoji in REACTIONS[text]:
        await act(pages[name], text, "React")
        await pages[name].get_by_role("button", name=emoji, exact=True).click()
        await pages[name].mouse.move(0, 0)
    await message(pages["sam"], text).get_by_role("list", name="Reactions").wait_for()


if __name__ == "__main__":
    asyncio.run(main())
