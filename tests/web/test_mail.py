"""How people who have forgotten the password get a link by mail, on the page."""

import asyncio
import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Mailbox
from playwright.async_api import expect

from tests.conftest import PageFactory
from tests.ports import free_port
from tests.servers import WebServer, hubbub_server, watched
from tests.web.accessibility import no_violations
from tests.web.pages import expect_live

pytestmark = pytest.mark.anyio

PASSWORD = "correct horse battery"
SIGN_UP = """async (password) => {
    const ask = (method, path, body) => fetch('api/v1/' + path, {
        method, headers: {'Hubbub-CSRF': '1'}, body: JSON.stringify(body),
    });
    await ask('POST', 'accounts', {username: 'ada', password});
    await ask('PATCH', 'me', {email: 'ada@example.com'});
}"""


@pytest.fixture(scope="module")
def mails(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mails") / "box"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, mails: Path) -> Iterator[WebServer]:
    port = free_port()
    controller = Controller(Mailbox(mails), "127.0.0.1", port)
    controller.start()
    server = hubbub_server(tmp_path_factory.mktemp("mail"))
    server.environment |= {
        "HUBBUB_SIGN_UP": "open",
        "HUBBUB_PUBLIC_URL": server.url,
        "HUBBUB_SMTP_URL": f"smtp://127.0.0.1:{port}",
        "HUBBUB_MAIL_FROM": "chat@example.com",
    }
    yield from watched(server)
    controller.stop()


async def link_in(mails: Path, kind: str) -> str:
    """That of a mail, when it has come."""
    async with asyncio.timeout(30):
        while True:
            for file in (mails / "new").glob("*"):
                mail = message_from_bytes(file.read_bytes(), policy=policy.default)
                if found := re.search(rf"http\S+/#/{kind}/\S+", mail.get_content()):
                    return found[0]
            await asyncio.sleep(0.02)


@pytest.mark.slow(6)
async def test_an_address_is_confirmed_and_then_leads_to_a_new_password(
    server: WebServer, mails: Path, new_page: PageFactory
) -> None:
    page = await new_page(reduced_motion="reduce")
    await page.goto(server.url)
    await page.evaluate(SIGN_UP, PASSWORD)
    await page.reload()
    await expect_live(page)
    await page.get_by_role("button", name="Your account").click()
    await page.get_by_role("menuitem", name="Settings").click()
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Send a link").click()
    await expect(page.get_by_text("a mail with a link is on its way")).to_be_visible()

    other = await new_page(reduced_motion="reduce")
    await other.goto(await link_in(mails, "confirm"))
    await expect(other.get_by_role("status")).to_have_text("Your e-mail address is confirmed.")
    assert "confirm" not in other.url
    await other.get_by_role("button", name="To the chat").click()
    await other.get_by_role("button", name="Log in").click()
    await other.get_by_role("button", name="Forgotten your password?").click()
    await no_violations(other)
    await other.get_by_label("Username or e-mail address").fill("ada@example.com")
    await other.get_by_role("button", name="Send a link").click()
    await expect(other.get_by_role("status")).to_contain_text("a mail with a link is on its way")

    await other.goto(await link_in(mails, "reset"))
    await expect(other.get_by_label("New password")).to_be_visible()
