"""How people log in on the page at somebody else's provider: npm's oidc-provider."""

from collections.abc import Iterator

import pytest
from playwright.async_api import Page, expect

from tests.conftest import PageFactory
from tests.node import openid_provider
from tests.servers import WebServer, hubbub_server, watched
from tests.web.accessibility import fits, no_violations
from tests.web.pages import expect_live

pytestmark = pytest.mark.anyio

BUTTON = "Log in with Example Ltd."


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    folder = tmp_path_factory.mktemp("provider")
    server = hubbub_server(folder)
    with openid_provider(folder, f"{server.url}/api/v1/oidc/callback") as provider:
        server.environment |= {
            "HUBBUB_PUBLIC_URL": server.url,
            "HUBBUB_OIDC_ISSUER": provider.url,
            "HUBBUB_OIDC_CLIENT_ID": "hubbub",
            "HUBBUB_OIDC_CLIENT_SECRET": "canary-client-secret",
            "HUBBUB_OIDC_NAME": "Example Ltd.",
        }
        yield from watched(server)


async def at_provider(page: Page, subject: str, *, button: str = "Enter") -> None:
    await page.get_by_label("Subject").fill(subject)
    await page.get_by_label("Username").fill(subject)
    await page.get_by_role("button", name=button).click()


@pytest.mark.slow(6)
async def test_people_log_in_at_the_provider_and_come_back_to_their_room(
    server: WebServer, new_page: PageFactory
) -> None:
    link = (server.folder / "hubbub-data/setup-link").read_text().strip()
    page = await new_page(reduced_motion="reduce")
    await page.goto(link)
    await page.get_by_role("button", name=BUTTON).click()
    await at_provider(page, "ada")
    await expect_live(page)
    me = await page.evaluate("async () => (await fetch('api/v1/me')).json()")
    assert (me["key"], me["role"]) == ("ada", "admin")
    assert "log-in" not in page.url

    other = await new_page(reduced_motion="reduce")
    await other.goto(f"{server.url}/#hall")
    await other.get_by_role("button", name="Log in").click()
    await no_violations(other)
    await other.get_by_role("button", name=BUTTON).click()
    await at_provider(other, "ada", button="Refuse")
    await expect(other.get_by_role("alert")).to_have_text("The log-in was cancelled.")
    await no_violations(other)
    await fits(other)
    await other.get_by_role("button", name=BUTTON).click()
    await at_provider(other, "grace")
    await expect(other.get_by_role("alert")).to_contain_text("You have no account here yet.")
    # The provider knows the person still, and asks no more.
    await other.context.clear_cookies()
    await other.get_by_role("button", name=BUTTON).click()
    await at_provider(other, "ada")
    await expect_live(other)
    await expect(other).to_have_url(f"{server.url}/#hall")
