"""A server, and a way to open its page as somebody."""

import pytest
from playwright.async_api import Page, expect

from tests.conftest import PageFactory, ServerFactory
from tests.servers import WebServer
from tests.web.pages import Enter


@pytest.fixture
def server(serve: ServerFactory) -> WebServer:
    return serve()


@pytest.fixture
def enter(server: WebServer, new_page: PageFactory) -> Enter:
    """Opens the page as a person of that name."""

    async def open_as(name: str, *, room: str = "general", **options: object) -> Page:
        page = await new_page(**options)
        await page.goto(f"{server.url}/#{room}")
        await page.get_by_label("Your name").fill(name)
        await page.get_by_role("button", name="Start chatting").click()
        await expect(page.get_by_role("heading", name=room, level=1)).to_be_visible()
        return page

    return open_as
