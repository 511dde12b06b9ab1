"""A server, and a way to open its page as somebody."""

import zlib
from collections.abc import Iterator

import pytest
from playwright.async_api import Page, expect

from tests.conftest import PageFactory
from tests.servers import WebServer, hubbub_server
from tests.web.pages import Enter


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """One for all who let it live: each test is in rooms of its own. A room is filled faster than people may talk."""
    environment = {"HUBBUB_RATE": "2000", "HUBBUB_BURST": "2000"}
    with hubbub_server(tmp_path_factory.mktemp("server"), environment=environment) as server:
        yield server
        server.check_log()


@pytest.fixture
def room(request: pytest.FixtureRequest) -> str:
    return f"room-{zlib.crc32(request.node.name.encode()):x}"


@pytest.fixture
def enter(server: WebServer, new_page: PageFactory, room: str) -> Enter:
    """Opens the page as a person of that name."""

    async def open_as(name: str, *, room: str = room, **options: object) -> Page:
        page = await new_page(**options)
        await page.goto(f"{server.url}/#{room}")
        await page.get_by_label("Your name").fill(name)
        await page.get_by_role("button", name="Start chatting").click()
        await expect(page.get_by_role("heading", name=room, level=1)).to_be_visible()
        return page

    return open_as
