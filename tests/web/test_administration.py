"""What administrators do on the page, and what others do not see of it."""

import re
from collections.abc import Iterator

import pytest
from playwright.async_api import Locator, Page, expect

from tests.conftest import PageFactory
from tests.servers import WebServer, hubbub_server, watched
from tests.web.accessibility import fits, no_violations
from tests.web.pages import PHONE, expect_live
from tests.web.people import PASSWORD, account, choose_of_account, come_in, fill, submit

pytestmark = pytest.mark.anyio

TABS = ("People", "Rooms", "Invitations", "Reports", "Bans", "API keys", "Server", "Audit log")


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """One that nobody has set up yet, and where everybody may sign up."""
    environment = {"HUBBUB_SIGN_UP": "open", "HUBBUB_SIGN_UPS": "1000", "HUBBUB_LOG_IN_ATTEMPTS": "1000"}
    yield from watched(hubbub_server(tmp_path_factory.mktemp("administration"), environment=environment))


def setup_token(server: WebServer) -> str:
    return (server.folder / "hubbub-data/setup-link").read_text().strip().rpartition("/")[2]


async def to_tab(page: Page, name: str) -> Locator:
    await page.get_by_role("tab", name=name).click()
    panel = page.get_by_role("tabpanel", name=name)
    await expect(panel).to_be_visible()
    return panel


async def act_on(page: Page, name: str, action: str) -> None:
    await page.get_by_role("tabpanel").get_by_role("button", name=f"Actions for {name}").click()
    await page.get_by_role("menuitem", name=action).click()


async def test_an_administrator_cares_for_a_new_server(server: WebServer, new_page: PageFactory) -> None:
    page = await new_page()
    await page.goto((server.folder / "hubbub-data/setup-link").read_text().strip())
    await fill(page, "ada")
    await submit(page, "Sign up")

    # What next: the name of the server, which everybody sees.
    await expect(page.get_by_role("heading", name="What next?")).to_be_visible()
    await page.get_by_role("textbox", name="Name of the server").fill("Analytical Engines")
    await page.get_by_role("textbox", name="Rooms for newcomers").fill("lobby kitchen")
    await expect(page.get_by_text("Set at the start of the server")).not_to_have_count(0)
    await page.get_by_role("button", name="Save").click()
    await expect(page).to_have_title("general · Analytical Engines")
    # Then its people: the step does not vanish with the one before.
    await page.get_by_role("button", name="Invite your team").click()
    await expect(page.get_by_role("button", name="Make a link")).to_be_visible()
    # An address may lead from one dialog to the other.
    await page.evaluate("location.hash = '#/settings/profile'")
    await expect(page.get_by_role("dialog", name="Settings")).to_be_visible()
    await page.evaluate("location.hash = '#/admin/server'")
    await expect(page.get_by_role("textbox", name="Name of the server")).to_have_value("Analytical Engines")
    await expect(page.get_by_role("heading", name="What next?")).to_have_count(0)

    async with account(server, "grace", name="Grace Hopper") as grace, account(server, "mehmet") as mehmet:
        people = await to_tab(page, "People")
        await people.get_by_role("searchbox").fill("grace")
        await expect(people.get_by_role("listitem")).to_have_count(1)
        await act_on(page, "Grace Hopper", "Make an administrator")
        await expect(people.get_by_role("listitem")).to_contain_text("administrator")
        await act_on(page, "Grace Hopper", "Where they are logged in")
        logged_in = page.get_by_role("dialog", name="Where Grace Hopper is logged in")
        await expect(logged_in.get_by_role("listitem")).to_contain_text("Logged in since")
        await logged_in.get_by_role("button", name="Log out everywhere").click()
        await expect(logged_in.get_by_text("Nowhere.")).to_be_visible()
        assert (await grace.get("/api/v1/sessions")).status_code == 401
        await page.keyboard.press("Escape")
        await people.get_by_role("searchbox").fill("")
        await expect(people.get_by_role("listitem")).to_have_count(3)
        await act_on(page, "mehmet", "Link for a new password")
        await expect(people.get_by_label("A link with which mehmet")).to_have_value(re.compile("/#/reset/"))
        await act_on(page, "mehmet", "Deactivate")
        await page.get_by_role("dialog").get_by_role("button", name="Deactivate").click()
        await expect(people.get_by_role("listitem").filter(has_text="mehmet")).to_contain_text("deactivated")
        assert (await mehmet.get("/api/v1/sessions")).status_code == 401
        await act_on(page, "mehmet", "Activate again")
        await expect(people.get_by_text("deactivated")).to_have_count(0)

        bans = await to_tab(page, "Bans")
        await bans.get_by_label("Username or key").fill("mehmet")
        await bans.get_by_role("button", name="Ban somebody").click()
        await page.get_by_label("How long").select_option("7 days")
        await page.get_by_label("Reason").fill("advertising")
        await page.get_by_role("button", name="Ban", exact=True).click()
        await expect(bans.get_by_role("listitem")).to_contain_text("advertising")
        refused = await mehmet.post("/api/v1/sessions", json={"username": "mehmet", "password": PASSWORD})
        assert refused.status_code == 403
        await bans.get_by_role("button", name="Lift the ban").click()
        await expect(bans.get_by_text("Nobody is banned")).to_be_visible()

    keys = await to_tab(page, "API keys")
    await keys.get_by_role("textbox", name="Name").fill("weather")
    await keys.get_by_role("checkbox", name="Send messages into rooms").check()
    await keys.get_by_role("button", name="Make a key").click()
    await expect(keys.get_by_label("Copy the key now")).to_have_value(re.compile("^hb_"))
    await keys.get_by_role("button", name="Revoke").click()
    await page.get_by_role("dialog").last.get_by_role("button", name="Revoke").click()
    await expect(keys.get_by_text("There is none.")).to_be_visible()

    log = await to_tab(page, "Audit log")
    lines = log.get_by_role("listitem")
    await expect(lines.first).to_contain_text("revoked the API key")
    await expect(lines.filter(has_text="Name of the server")).to_have_count(1)
    await log.get_by_label("Show").select_option("Accounts")
    await expect(lines.first).to_contain_text("activated the account")


async def test_reports_and_rooms_are_cared_for(server: WebServer, new_page: PageFactory) -> None:
    async with account(server, "ada", setup=setup_token(server)), account(server, "grace") as grace:
        assert (await grace.post("/api/v1/rooms", json={"kind": "public", "room": "lobby"})).status_code == 201
        for text in ("Cheap pills!", "Hello."):
            assert (await grace.post("/api/v1/rooms/lobby/messages", json={"text": text})).is_success
        reported = await grace.post("/api/v1/rooms/lobby/messages/1/reports", json={"reason": "advertising"})
        assert reported.status_code == 201, reported.text
        page = await new_page()
        await come_in(page, server, "ada", fragment="#/admin/reports")

        reports = page.get_by_role("tabpanel", name="Reports")
        await expect(reports.get_by_role("blockquote")).to_have_text("Cheap pills!")
        await reports.get_by_role("button", name="Close").click()
        await expect(reports.get_by_text("There is none.")).to_be_visible()
        await reports.get_by_label("Show").select_option("Closed")
        await expect(reports.get_by_role("listitem")).to_contain_text("Closed by ada")
        await reports.get_by_role("button", name="Show").click()
        await expect(page).to_have_url(re.compile("#lobby/1$"))
        await expect(page.get_by_role("log").get_by_text("Cheap pills!")).to_be_visible()
        await page.go_back()

        rooms = await to_tab(page, "Rooms")
        await act_on(page, "lobby", "Name and description")
        await page.get_by_role("dialog").last.get_by_role("textbox", name="Name").fill("The lobby")
        await page.get_by_role("button", name="Save").click()
        await expect(rooms.get_by_role("listitem").filter(has_text="The lobby")).to_have_count(1)
        await act_on(page, "The lobby", "Archive")
        await page.get_by_role("dialog").last.get_by_role("button", name="Archive").click()
        await expect(rooms.get_by_role("listitem").filter(has_text="The lobby")).to_contain_text("archived")


async def test_who_is_no_administrator_sees_nothing_of_it(server: WebServer, new_page: PageFactory) -> None:
    async with account(server, "joan"):
        page = await new_page()
        await come_in(page, server, "joan")
        await expect_live(page)
        await page.get_by_role("button", name="Your account").click()
        await expect(page.get_by_role("menuitem", name="Settings")).to_be_visible()
        await expect(page.get_by_role("menuitem", name="Administration")).to_have_count(0)
        await page.keyboard.press("Escape")

        await page.goto(f"{server.url}/#/admin/people")
        await expect(page.get_by_role("alert")).to_have_text("This is for administrators.")
        await expect(page.get_by_role("tab")).to_have_count(0)


@pytest.mark.slow(10)
@pytest.mark.parametrize("device", [{}, PHONE], ids=["desktop", "phone"])
async def test_each_tab_of_the_administration_can_be_read_by_everybody(
    server: WebServer, new_page: PageFactory, device: dict[str, object]
) -> None:
    async with account(server, "ada", setup=setup_token(server)) as ada, account(server, "grace"):
        assert (await ada.post("/api/v1/tokens", json={"name": "bot", "scopes": ["rooms:send"]})).status_code == 201
        assert (await ada.put("/api/v1/bans/grace", json={"reason": "advertising"})).status_code == 204
        page = await new_page(reduced_motion="reduce", **device)
        await come_in(page, server, "ada")
        if device:
            await page.get_by_role("button", name="Rooms", exact=True).tap()
        await choose_of_account(page, "Administration")
        for name in TABS:
            panel = await to_tab(page, name)
            await expect(panel.get_by_text("One moment…")).to_have_count(0)
            await no_violations(page, "dialog[aria-labelledby]")
            await fits(page)
        await to_tab(page, "Bans")
        await page.get_by_label("Username or key").fill("ada")
        await page.get_by_role("button", name="Ban somebody").click()
        await no_violations(page, "dialog[aria-label^=Ban]")
        await fits(page)
