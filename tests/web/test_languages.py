"""The page speaks the visitor's language, or the one that the visitor chose."""

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.conftest import PageFactory
from tests.servers import WebServer
from tests.web.accessibility import no_violations
from tests.web.pages import PHONE, Enter, expect_live, say

pytestmark = pytest.mark.anyio


async def come_in(page: Page, server: WebServer, room: str, *, name: str, field: str, button: str) -> None:
    await page.goto(f"{server.url}/#{room}")
    await page.get_by_label(field).fill(name)
    await page.get_by_role("button", name=button).click()
    await expect(page.get_by_role("heading", name=room, level=1)).to_be_visible()


async def test_the_page_speaks_the_browsers_language_until_another_is_chosen(
    server: WebServer, new_page: PageFactory, room: str, screenshots: Path
) -> None:
    page = await new_page(locale="de-DE", reduced_motion="reduce")
    await come_in(page, server, room, name="Jutta", field="Dein Name", button="Loslegen")
    await expect(page.get_by_text("Verbunden", exact=True)).to_be_visible()
    await expect(page.locator("html")).to_have_attribute("lang", "de")
    await page.get_by_label(f"Nachricht in {room}").fill("Guten Morgen")
    await page.get_by_role("button", name="Senden").click()
    await expect(page.get_by_role("heading", name="Heute")).to_be_visible()
    await page.screenshot(path=screenshots / "german.png")

    await page.get_by_role("button", name="Sprache: Deutsch").click()
    await no_violations(page)
    await page.screenshot(path=screenshots / "languages.png")
    await page.get_by_role("dialog", name="Sprache").get_by_role("button", name="中文").click()

    await expect(page.get_by_role("button", name="语言：中文")).to_be_focused()
    await expect(page.get_by_text("已连接", exact=True)).to_be_visible()
    await expect(page.get_by_role("heading", name="今天")).to_be_visible()
    await page.reload()
    await expect(page.get_by_text("已连接", exact=True)).to_be_visible()
    await expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    await expect(page.locator("html")).to_have_attribute("dir", "ltr")
    await no_violations(page)
    await page.screenshot(path=screenshots / "chinese.png")


async def test_a_visitor_chooses_a_language_before_a_name(
    server: WebServer, new_page: PageFactory, room: str, screenshots: Path
) -> None:
    page = await new_page(locale="en-GB", reduced_motion="reduce", **PHONE)
    await page.goto(server.url)
    await page.get_by_label("Your name").fill("Lola")
    await page.get_by_role("button", name="Language: English").tap()
    await page.get_by_role("button", name="Español").tap()

    await expect(page.get_by_role("heading", name="Adelante")).to_be_visible()
    await expect(page.get_by_label("Tu nombre")).to_have_value("Lola")
    await no_violations(page)
    await page.screenshot(path=screenshots / "spanish.png")
    await come_in(page, server, room, name="Lola", field="Tu nombre", button="Empezar a hablar")
    await expect(page.get_by_text("Nadie ha dicho nada todavía.")).to_be_visible()


async def test_the_language_changes_while_a_draft_is_written(enter: Enter) -> None:
    alice = await enter("alice", reduced_motion="reduce")
    await expect_live(alice)
    await say(alice, "hello")
    await alice.get_by_label("Message in").fill("half a sen")

    await alice.get_by_role("button", name="Language: English").click()
    await alice.get_by_role("button", name="Deutsch").click()

    await expect(alice.get_by_label("Nachricht in")).to_have_value("half a sen")
    await expect(alice.get_by_role("log").get_by_text("hello")).to_be_visible()


async def test_words_that_cannot_be_loaded_leave_the_page_in_english(server: WebServer, new_page: PageFactory) -> None:
    page = await new_page(locale="de-DE")
    await page.route("**/assets/de-*.js", lambda route: route.abort())
    await page.goto(server.url)

    await expect(page.get_by_label("Your name")).to_be_visible()
    await expect(page.locator("html")).to_have_attribute("lang", "en")
