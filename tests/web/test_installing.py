"""The page can be installed as an app: Chromium itself says whether, and what the app would be."""

import json

import pytest

from tests.conftest import PageFactory
from tests.servers import WebServer

pytestmark = pytest.mark.anyio


async def test_a_browser_finds_nothing_that_keeps_it_from_installing_the_page(
    server: WebServer, new_page: PageFactory
) -> None:
    page = await new_page()
    await page.goto(f"{server.url}/#hall")
    browser = await page.context.new_cdp_session(page)

    found = await browser.send("Page.getInstallabilityErrors")
    # Contexts of tests are private windows, which install nothing.
    assert [error["errorId"] for error in found["installabilityErrors"]] == ["in-incognito"]
    app = await browser.send("Page.getAppManifest")
    assert app["errors"] == []
    for member in ("id", "startUrl", "scope"):
        assert app["manifest"][member] == f"{server.url}/"
    assert app["manifest"]["display"] == "kStandalone"
    icons = json.loads(app["data"])["icons"]
    assert {icon["sizes"] for icon in icons} == {"any", "192x192", "512x512"}
    assert [icon["sizes"] for icon in icons if icon.get("purpose") == "maskable"] == ["512x512"]
    for theme in ("light", "dark"):
        ground = await page.get_attribute(f'meta[name="theme-color"][media*="{theme}"]', "content")
        await page.emulate_media(color_scheme=theme)
        red, green, blue = (int(str(ground)[at : at + 2], 16) for at in (1, 3, 5))
        assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == f"rgb({red}, {green}, {blue})"
