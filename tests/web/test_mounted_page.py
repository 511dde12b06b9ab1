"""The page inside another application: under a prefix, with that application's login."""

from collections.abc import Iterator

import pytest
from playwright.async_api import Page, expect

from tests.conftest import PageFactory
from tests.servers import WebServer, uvicorn_server, watched

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    yield from watched(uvicorn_server(tmp_path_factory.mktemp("host"), "tests.web.host_app:app"))


@pytest.fixture
async def page(new_page: PageFactory) -> Page:
    return await new_page()


async def test_a_user_who_is_logged_in_is_not_asked_for_a_name(server: WebServer, page: Page) -> None:
    await page.goto(f"{server.url}/login")
    await page.goto(f"{server.url}/chat")

    await expect(page.get_by_text("Live", exact=True)).to_be_visible()
    await expect(page.get_by_role("complementary", name="People")).to_contain_text("Alice Liddell")
    await expect(page.get_by_role("button", name="Use another name")).to_be_hidden()
    await page.get_by_label("Message in").fill("Hello from a prefix")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("log").get_by_text("Hello from a prefix")).to_be_visible()


async def test_a_user_who_is_not_logged_in_is_told_so(server: WebServer, page: Page) -> None:
    await page.goto(f"{server.url}/chat/")

    await expect(page.get_by_role("alert")).to_contain_text("Log in first")
    await expect(page.get_by_label("Your name")).to_be_hidden()


async def test_a_user_whom_the_applications_login_refuses_is_told_its_reason(server: WebServer, page: Page) -> None:
    await page.context.add_cookies([{"name": "who", "value": "nobody", "url": server.url}])
    await page.goto(f"{server.url}/chat/")

    await expect(page.get_by_role("alert")).to_have_text("This account is closed.")
    await expect(page.get_by_label("Your name")).to_be_hidden()
