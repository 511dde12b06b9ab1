"""How a guest gets in and comes back: with a free name, and with a secret that the page does not lose."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, expect

from tests.conftest import PageFactory, ServerFactory
from tests.gateway import BAD_GATEWAY, LOG_IN_FIRST, Gateway
from tests.people import person
from tests.servers import WebServer
from tests.web.pages import Enter, come_back, everything_is_sent, expect_live, message, say

pytestmark = pytest.mark.anyio


async def choose(page: Page, name: str) -> None:
    await page.get_by_label("Your name").fill(name)
    await page.get_by_role("button", name="Start chatting").click()


@pytest.mark.parametrize("name", ["ADA", "admin", "bell\u202eboy"], ids=ascii)
async def test_a_refused_name_leads_back_to_its_field(
    enter: Enter, server: WebServer, new_page: PageFactory, name: str
) -> None:
    async with person(server, "Ada"):
        page = await new_page()
        await page.goto(server.url)
        field = page.get_by_label("Your name")

        await choose(page, name)

        await expect(page.get_by_role("alert")).to_be_visible()
        await expect(field).to_have_value(name)
        await expect(field).to_be_focused()
        await expect(field).to_have_attribute("aria-invalid", "true")
        await expect(field).to_have_accessible_description(await page.get_by_role("alert").inner_text())
        await expect(page.get_by_role("textbox")).to_have_count(1)
        await page.reload()
        await expect(page.get_by_role("alert")).to_have_count(0)

        await choose(page, f"ada-{len(name)}")
        await expect_live(page)


async def test_a_name_that_was_taken_while_the_server_was_away_is_asked_for_again(
    serve: ServerFactory, new_page: PageFactory
) -> None:
    server = serve()
    page = await new_page()
    await page.goto(server.url)
    await choose(page, "Grace")
    await expect_live(page)
    # The storage was cleared, so the secret is gone; the tab still knows the name.
    await page.evaluate("localStorage.clear()")
    await page.goto("about:blank")
    server.kill()
    server.start()

    async with person(server, "Grace"):
        await page.goto(server.url)

        await expect(page.get_by_role("alert")).to_contain_text("Grace")
        await expect(page.get_by_label("Your name")).to_be_focused()


@pytest.fixture
async def gateway(serve: ServerFactory) -> AsyncIterator[Gateway]:
    async with Gateway(serve().port) as gateway:
        yield gateway


@pytest.mark.parametrize("answer", [BAD_GATEWAY, LOG_IN_FIRST], ids=["502", "401"])
async def test_a_proxys_answers_make_nobody_another_guest(
    gateway: Gateway, new_page: PageFactory, answer: bytes
) -> None:
    page = await new_page()
    await page.goto(f"{gateway.url}/#hall")
    await choose(page, "Edith")
    await expect_live(page)
    await say(page, "before.")
    await expect(message(page, "before.")).to_be_visible()
    secret = await page.evaluate("localStorage.getItem('hubbub / secret:edith')")
    assert secret

    gateway.answer_to_websockets = answer
    gateway.cut()
    async with asyncio.timeout(20):
        await gateway.refused()
    await say(page, "meanwhile.")
    gateway.answer_to_websockets = None
    await come_back(page)

    await everything_is_sent(page)
    await expect(message(page, ".").locator(".body")).to_have_text(["before.", "meanwhile."])
    assert await page.evaluate("localStorage.getItem('hubbub / secret:edith')") == secret
    await message(page, "before.").hover()
    await expect(message(page, "before.").get_by_role("button", name="Edit", exact=True)).to_be_visible()
    assert not [line for line in gateway.requests if "secret" in line or secret in line]


async def test_a_server_with_new_keys_gets_the_waiting_messages_from_a_new_guest(
    serve: ServerFactory, new_page: PageFactory
) -> None:
    server = serve()
    page = await new_page()
    await page.goto(f"{server.url}/#hall")
    await choose(page, "Mary")
    await expect_live(page)

    server.kill()
    await expect(page.get_by_text("Connection lost")).to_be_visible()
    await say(page, "Who am I?")
    (server.folder / "hubbub-data/secret").unlink()
    server.start()
    await come_back(page)

    await everything_is_sent(page)
    async with person(server) as reader:
        joined = await reader.join("hall")
    assert [row["text"] for row in joined["messages"]] == ["Who am I?"]
