"""How people get an account on the page, log in and out, and what stays a guest's own."""

import re
from collections.abc import Iterator

import pytest
from playwright.async_api import expect

from tests.conftest import PageFactory
from tests.servers import WebServer, hubbub_server, watched
from tests.web.accessibility import fits, no_violations
from tests.web.pages import PHONE, act, everything_is_sent, expect_live, message, say
from tests.web.people import PASSWORD, account, choose_of_account, expect_here_as, fill, log_in, submit

pytestmark = pytest.mark.anyio

INVITE = """async () => {
    const answer = await fetch('api/v1/invitations', {method: 'POST', headers: {'Hubbub-CSRF': '1'}, body: '{}'});
    return (await answer.json()).url;
}"""
RESET = INVITE.replace("api/v1/invitations", "api/v1/accounts/grace/reset-link")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """Where everybody may sign up."""
    environment = {"HUBBUB_SIGN_UP": "open", "HUBBUB_SIGN_UPS": "1000", "HUBBUB_LOG_IN_ATTEMPTS": "1000"}
    yield from watched(hubbub_server(tmp_path_factory.mktemp("accounts"), environment=environment))


async def test_the_links_for_setup_invitation_and_reset_open_their_forms(
    server: WebServer, new_page: PageFactory
) -> None:
    link = (server.folder / "hubbub-data/setup-link").read_text().strip()
    first = await new_page()
    await first.goto(link)
    await expect(first.get_by_role("heading", name="Set up this server")).to_be_visible()
    assert "setup" not in first.url
    await fill(first, "ada")
    await submit(first, "Sign up")
    await expect_here_as(first, "ada")

    link_of_invitation = await first.evaluate(INVITE)
    second = await new_page()
    await second.goto(link_of_invitation)
    await expect(second.get_by_role("heading", name="You are invited")).to_be_visible()
    assert "invite" not in second.url
    await fill(second, "ADA")
    await submit(second, "Sign up")
    await expect(second.get_by_role("alert")).to_contain_text("taken")
    await expect(second.get_by_label("Username", exact=True)).to_be_focused()
    await fill(second, "grace")
    await submit(second, "Sign up")
    await expect_here_as(second, "grace")

    link_of_reset = await first.evaluate(RESET)
    third = await new_page()
    await third.goto(link_of_reset)
    await third.get_by_label("New password").fill("another horse battery")
    await submit(third, "Choose a new password")
    await expect(third.get_by_role("status")).to_contain_text("Log in with it")
    await fill(third, "grace", "another horse battery")
    await submit(third, "Log in")
    await expect_here_as(third, "grace")


async def test_who_logs_in_stays_logged_in_until_logging_out(server: WebServer, new_page: PageFactory) -> None:
    async with account(server, "edith"):
        page = await new_page()
        await log_in(page, server, "edith")
        await page.reload()
        await expect_here_as(page, "edith")

        await choose_of_account(page, "Log out")

        await expect(page.get_by_label("Your name")).to_be_visible()
        await page.reload()
        await expect(page.get_by_role("button", name="Log in")).to_be_visible()
        assert not [cookie for cookie in await page.context.cookies() if cookie.get("name") == "hubbub_session"]


async def test_a_session_that_is_ended_elsewhere_leads_to_the_log_in_and_loses_nothing(
    server: WebServer, new_page: PageFactory
) -> None:
    async with account(server, "mary") as elsewhere:
        page = await new_page()
        await log_in(page, server, "mary")
        await page.goto(f"{server.url}/#hall")
        await expect_live(page)
        passwords = [PASSWORD, "another horse battery", "a third horse battery"]
        for is_connected, old, new in zip([True, False], passwords, passwords[1:], strict=False):
            await page.context.set_offline(not is_connected)
            if not is_connected:
                await say(page, "written without a network.")
            await page.get_by_label("Message in").fill("half a sen")

            answer = await elsewhere.put("/api/v1/me/password", json={"old": old, "new": new})
            assert answer.status_code == 204, answer.text
            await page.context.set_offline(False)

            await expect(page.get_by_text("You have been logged out.")).to_be_visible()
            await fill(page, "mary", new)
            await submit(page, "Log in")
            await expect_here_as(page, "mary")
            await expect(page.get_by_label("Message in")).to_have_value("half a sen")
        await expect(message(page, "written without a network.")).to_be_visible()
        await everything_is_sent(page)
        history = await elsewhere.get("/api/v1/rooms/hall/messages")
        assert "written without a network." in [row["text"] for row in history.json()["messages"]]


async def test_the_password_is_changed_on_the_page(server: WebServer, new_page: PageFactory) -> None:
    async with account(server, "joan") as elsewhere:
        page = await new_page()
        await log_in(page, server, "joan")
        await choose_of_account(page, "Settings")
        await page.get_by_role("tab", name="Password").click()
        await page.get_by_label("Old password").fill("wrong")
        await page.get_by_label("New password").fill("another horse battery")
        await submit(page, "Change password")
        await expect(page.get_by_role("alert")).to_have_text("The old password is wrong.")
        await page.get_by_label("Old password").fill(PASSWORD)
        await submit(page, "Change password")

        await expect(page.get_by_text("Your new password is set.")).to_be_visible()
        new = {"username": "joan", "password": "another horse battery"}
        assert (await elsewhere.post("/api/v1/sessions", json=new)).status_code == 201


async def test_a_wrong_password_says_one_sentence(server: WebServer, new_page: PageFactory) -> None:
    page = await new_page(reduced_motion="reduce", **PHONE)
    await page.goto(server.url)
    await page.get_by_role("button", name="Log in").click()
    await no_violations(page)
    await fill(page, "nobody", "not the password")
    await submit(page, "Log in")

    field = page.get_by_label("Password", exact=True)
    await expect(page.get_by_role("alert")).to_have_text("The username or the password is wrong.")
    await expect(field).to_have_accessible_description("The username or the password is wrong.")
    await expect(field).to_be_focused()
    await expect(field).to_have_attribute("type", "password")
    await page.get_by_role("button", name="Show password").click()
    await expect(field).to_have_attribute("type", "text")
    await no_violations(page)
    await fits(page)

    await page.get_by_role("button", name="Sign up").click()
    await expect(page.get_by_label("Password", exact=True)).to_have_attribute("autocomplete", "new-password")
    await no_violations(page)
    await fits(page)


async def test_a_guest_who_signs_up_keeps_the_messages(server: WebServer, new_page: PageFactory) -> None:
    page = await new_page(reduced_motion="reduce")
    await page.goto(f"{server.url}/#hall")
    await page.get_by_label("Your name").fill("Rosalind")
    await page.get_by_role("button", name="Start chatting").click()
    await expect_live(page)
    await say(page, "as a guest.")
    await expect(message(page, "as a guest.")).to_be_visible()

    await page.get_by_role("button", name="Sign up").click()
    await no_violations(page)
    await fill(page, "rosalind-f")
    await submit(page, "Sign up")
    await expect(page.get_by_role("button", name="Your account")).to_be_visible()
    await expect_live(page)

    await act(page, "as a guest.", "Edit")
    await page.get_by_label("Message in").fill("as an account.")
    await page.get_by_role("button", name="Save").click()
    await expect(message(page, "as an account.")).to_be_visible()
    await expect(page).to_have_url(re.compile("#hall$"))


async def test_a_link_that_is_not_valid_says_so_and_can_be_left(server: WebServer, new_page: PageFactory) -> None:
    page = await new_page()
    await page.goto(f"{server.url}/#/reset/not-a-token")
    await page.get_by_label("New password").fill(PASSWORD)
    await submit(page, "Choose a new password")
    await expect(page.get_by_role("alert")).to_contain_text("not valid any more")

    await page.get_by_role("button", name="Cancel").click()
    await expect(page.get_by_label("Your name")).to_be_visible()
