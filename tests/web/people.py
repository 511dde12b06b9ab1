"""Accounts on the page, and elsewhere at the same time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from playwright.async_api import Page, expect

from tests.servers import WebServer
from tests.web.pages import expect_live

PASSWORD = "correct horse battery"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.1 Mobile/15E148 Safari/604.1"
)


async def fill(page: Page, username: str, password: str = PASSWORD) -> None:
    await page.get_by_label("Username", exact=True).fill(username)
    await page.get_by_label("Password", exact=True).fill(password)


async def submit(page: Page, action: str) -> None:
    await page.locator("form").get_by_role("button", name=action, exact=True).click()


@asynccontextmanager
async def account(server: WebServer, username: str, **fields: str) -> AsyncIterator[httpx.AsyncClient]:
    """An account that is made elsewhere, and stays logged in there: on a telephone."""
    headers = {"Hubbub-CSRF": "1", "Origin": server.url, "User-Agent": IPHONE}
    # The server closes connections that are idle, perhaps when the next request is sent.
    each_on_its_own = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(base_url=server.url, headers=headers, limits=each_on_its_own) as client:
        wanted = {"username": username, "password": PASSWORD, **fields}
        answer = await client.post("/api/v1/accounts", json=wanted)
        assert answer.status_code == 201, answer.text
        yield client


async def expect_here_as(page: Page, name: str) -> None:
    await expect_live(page)
    await expect(page.locator("footer").get_by_text(name, exact=True)).to_be_visible()


async def log_in(page: Page, server: WebServer, username: str) -> None:
    """By the form on the first screen."""
    await page.goto(server.url)
    await page.get_by_role("button", name="Log in").click()
    await fill(page, username)
    await submit(page, "Log in")
    await expect_here_as(page, username)


async def come_in(page: Page, server: WebServer, username: str, *, fragment: str = "") -> None:
    """Logs in without the form, and opens the page."""
    headers = {"Hubbub-CSRF": "1", "Origin": server.url}
    wanted = {"username": username, "password": PASSWORD}
    answer = await page.request.post(f"{server.url}/api/v1/sessions", data=wanted, headers=headers)
    assert answer.status == 201, await answer.text()
    await page.goto(f"{server.url}/{fragment}")


async def choose_of_account(page: Page, item: str) -> None:
    await page.get_by_role("button", name="Your account").click()
    await page.get_by_role("menuitem", name=item, exact=True).click()
