"""What people set for themselves on the page: who they are, where they are logged in, whom they invite."""

import re
from collections.abc import Iterator

import pytest
from playwright.async_api import Page, expect

from tests.conftest import PageFactory
from tests.servers import WebServer, hubbub_server, watched
from tests.web.accessibility import fits, no_violations
from tests.web.pages import PHONE, expect_live, message, say
from tests.web.people import account, choose_of_account, come_in, expect_here_as

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """Where everybody may sign up."""
    environment = {"HUBBUB_SIGN_UP": "open", "HUBBUB_SIGN_UPS": "1000", "HUBBUB_LOG_IN_ATTEMPTS": "1000"}
    yield from watched(hubbub_server(tmp_path_factory.mktemp("settings"), environment=environment))


async def expect_heading(page: Page, name: str) -> None:
    await expect(page.get_by_role("dialog").get_by_role("heading", name=name)).to_be_visible()


async def test_a_new_name_is_seen_by_others_at_once(server: WebServer, new_page: PageFactory) -> None:
    async with account(server, "edith"), account(server, "mary"):
        edith, mary = await new_page(), await new_page()
        await come_in(mary, server, "mary", fragment="#hall")
        await come_in(edith, server, "edith", fragment="#hall")
        await expect(mary.get_by_role("complementary", name="People")).to_contain_text("edith")

        await choose_of_account(edith, "Settings")
        await edith.get_by_role("textbox", name="Name").fill("Edith Clarke")
        await edith.get_by_role("button", name="Save").click()

        await expect(edith.get_by_role("status").filter(has_text="Saved.")).to_be_visible()
        await expect(mary.get_by_role("complementary", name="People")).to_contain_text("Edith Clarke")
        await edith.keyboard.press("Escape")
        await expect_here_as(edith, "Edith Clarke")
        await say(edith, "It is me.")
        await expect(message(mary, "It is me.")).to_contain_text("Edith Clarke")


async def test_a_chosen_colour_is_seen_by_others_and_stays_when_its_owner_has_gone(
    server: WebServer, new_page: PageFactory
) -> None:
    async with account(server, "rosa"), account(server, "vera"):
        rosa, vera = await new_page(), await new_page(reduced_motion="reduce")
        await come_in(vera, server, "vera", fragment="#palette")
        await come_in(rosa, server, "rosa", fragment="#palette")
        await say(rosa, "Which colour am I?")

        await choose_of_account(rosa, "Settings")
        await rosa.get_by_role("radio", name="Yellow").check()
        await rosa.get_by_role("button", name="Save").click()
        await expect(rosa.get_by_role("status").filter(has_text="Saved.")).to_be_visible()

        seen = vera.get_by_role("complementary", name="People").get_by_role("listitem").filter(has_text="rosa")
        yellow, black = "rgb(227, 181, 5)", "rgb(0, 0, 0)"
        for face in (seen.locator(".avatar"), message(vera, "Which colour am I?").locator(".avatar")):
            await expect(face).to_have_css("background-color", yellow)
            await expect(face).to_have_css("color", black)
        await no_violations(vera)

        await rosa.close()
        await vera.reload()
        await expect(message(vera, "Which colour am I?").locator(".avatar")).to_have_css("background-color", yellow)


async def test_back_leaves_the_settings_from_every_tab_and_the_focus_returns(
    server: WebServer, new_page: PageFactory
) -> None:
    async with account(server, "joan"):
        page = await new_page()
        await come_in(page, server, "joan", fragment="#hall")
        await expect_live(page)
        await choose_of_account(page, "Settings")
        await expect(page.get_by_role("tab", name="Profile")).to_be_focused()
        for tab in ("Password", "Devices", "Invitations"):
            await page.keyboard.press("ArrowDown")
            await expect(page.get_by_role("tab", name=tab)).to_be_focused()
        await expect(page).to_have_url(re.compile("#/settings/invitations$"))
        await page.go_back()
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await expect(page).to_have_url(re.compile("#hall$"))
        await expect(page.get_by_role("button", name="Your account")).to_be_focused()

        await page.goto(f"{server.url}/#/settings/devices")
        await page.reload()
        await expect_heading(page, "Where you are logged in")
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await expect(page).to_have_url(re.compile("#general$"))


async def test_a_device_that_is_logged_out_is_out_at_once(server: WebServer, new_page: PageFactory) -> None:
    async with account(server, "grace") as telephone:
        here, there = await new_page(), await new_page()
        await come_in(there, server, "grace")
        await expect_live(there)
        await come_in(here, server, "grace", fragment="#/settings/devices")

        devices = here.get_by_role("list", name="Where you are logged in").get_by_role("listitem")
        await expect(devices).to_have_count(3)
        await expect(devices.first).to_contain_text("this device")
        await here.get_by_role("button", name="Log out: Safari on iPhone").click()
        await expect(devices).to_have_count(2)
        assert (await telephone.get("/api/v1/sessions")).status_code == 401

        await here.get_by_role("button", name="Log out all other devices").click()
        await expect(here.get_by_text("You are logged in nowhere else.")).to_be_visible()
        await expect(there.get_by_role("button", name="Log in")).to_be_visible()


async def test_somebody_invites_with_a_link_and_revokes_it(server: WebServer, new_page: PageFactory) -> None:
    async with account(server, "hedy"):
        page = await new_page()
        await come_in(page, server, "hedy")
        await expect_live(page)
        await choose_of_account(page, "Invite people")
        await page.get_by_label("For how many people").select_option("5")
        await page.get_by_label("How long it works").select_option("1 day")
        await expect(page.get_by_label("They become")).to_have_count(0)
        await page.get_by_role("button", name="Make a link").click()
        link = page.get_by_label("Copy the link now")
        await expect(link).to_have_value(re.compile(r"/#/invite/[\w-]{43}$"))
        await page.get_by_role("button", name="Copy", exact=True).click()

        opened = await new_page()
        await opened.goto(await link.input_value())
        await expect(opened.get_by_role("heading", name="You are invited")).to_be_visible()

        await expect(page.get_by_role("listitem")).to_contain_text(["For 5 more people"])
        await page.get_by_role("button", name="Revoke").click()
        await expect(page.get_by_role("dialog").get_by_text("There is none.")).to_be_visible()


@pytest.mark.parametrize("device", [{}, PHONE], ids=["desktop", "phone"])
async def test_each_tab_of_the_settings_can_be_read_by_everybody(
    server: WebServer, new_page: PageFactory, device: dict[str, object]
) -> None:
    username = "ada-on-a-phone" if device else "ada"
    async with account(server, username):
        page = await new_page(reduced_motion="reduce", **device)
        await come_in(page, server, username, fragment="#/settings/profile")
        tabs = {
            "Profile": "Profile",
            "Password": "Change password",
            "Devices": "Where",
            "Invitations": "Invite",
            "Blocked": "Blocked people",
        }
        for tab, heading in tabs.items():
            await page.get_by_role("tab", name=tab).click()
            await expect_heading(page, heading)
            if tab == "Profile":
                await page.get_by_role("textbox", name="Name").fill("System")
                await page.get_by_role("button", name="Save").click()
                await expect(page.get_by_role("alert")).to_have_text("This name is not possible.")
            if tab == "Invitations":
                await page.get_by_role("button", name="Make a link").click()
                await expect(page.get_by_label("Copy the link now")).to_be_visible()
            await no_violations(page, "dialog[open]")
            await fits(page)
