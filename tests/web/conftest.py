"""A server, and a way to open its page as somebody."""

import zlib
from collections.abc import Iterator

import pytest
from playwright.async_api import Page, expect

from tests.conftest import PageFactory
from tests.servers import WebServer, hubbub_server, watched
from tests.web.pages import Enter


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """One server for all tests that do not kill it. Each test has its own rooms. High limits fill rooms fast."""
    environment = {"HUBBUB_RATE": "2000", "HUBBUB_BURST": "2000"}
    yield from watched(hubbub_server(tmp_path_factory.mktemp("server"), environment=environment))


@pytest.fixture
def room(request: pytest.FixtureRequest) -> str:
    return f"room-{zlib.crc32(request.node.name.encode()):x}"


@pytest.fixture(scope="session")
def secrets() -> dict[tuple[str, str], str]:
    """What each browser stores, by server and name: a name that has sent a message belongs to that guest for ever."""
    return {}


@pytest.fixture
def enter(server: WebServer, new_page: PageFactory, room: str, secrets: dict[tuple[str, str], str]) -> Enter:
    """Opens the page as the person with that name, the same person in each test of a server."""

    async def open_as(name: str, *, room: str = room, **options: object) -> Page:
        page = await new_page(**options)
        await page.goto(f"{server.url}/#{room}")
        entry = f"hubbub / secret:{name.lower()}"
        if known := secrets.get((server.url, name)):
            await page.evaluate("([entry, secret]) => localStorage.setItem(entry, secret)", [entry, known])
        await page.get_by_label("Your name").fill(name)
        await page.get_by_role("button", name="Start chatting").click()
        await expect(page.get_by_role("heading", name=room, level=1)).to_be_visible()
        secrets[server.url, name] = await page.evaluate("entry => localStorage.getItem(entry)", entry)
        return page

    return open_as
