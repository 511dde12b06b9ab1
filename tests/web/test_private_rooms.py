"""Rooms that only their members know, direct messages, roles and moderation on the page."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from tests.conftest import PageFactory
from tests.servers import WebServer, hubbub_server, watched
from tests.web.accessibility import fits, no_violations
from tests.web.pages import PHONE, act, expect_live, message, say

pytestmark = pytest.mark.anyio

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """Where everybody may sign up."""
    environment = {"HUBBUB_SIGN_UP": "open", "HUBBUB_SIGN_UPS": "1000", "HUBBUB_LOG_IN_ATTEMPTS": "1000"}
    yield from watched(hubbub_server(tmp_path_factory.mktemp("rooms"), environment=environment))


async def come_in(server: WebServer, new_page: PageFactory, username: str, **options: Any) -> Page:
    """Makes an account, and opens the page with it."""
    page = await new_page(reduced_motion="reduce", **options)
    answer = await page.context.request.post(
        f"{server.url}/api/v1/accounts",
        headers={"Hubbub-CSRF": "1", "Origin": server.url},
        data={"username": username, "password": PASSWORD, "name": username.title()},
    )
    assert answer.status == 201, await answer.text()
    await page.goto(server.url)
    await expect(page.get_by_role("heading", name="general", level=1)).to_be_visible()
    if not options:
        await expect_live(page)
    return page


def rooms(page: Page) -> Locator:
    return page.get_by_role("navigation", name="My rooms")


def in_list(page: Page, room: str) -> Locator:
    return rooms(page).get_by_role("button", name=room).first


async def expect_room(page: Page, name: str) -> None:
    await expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()


async def make_private(page: Page, title: str, *people: str) -> None:
    await page.get_by_role("button", name="New room").click()
    await page.get_by_label("Only who is invited").check()
    await page.get_by_label("Title", exact=True).fill(title)
    for person in people:
        await page.get_by_role("combobox", name="People").fill(person)
        await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Create the room").click()
    await expect_room(page, title)


async def open_person(page: Page, name: str) -> Locator:
    await page.get_by_role("complementary", name="People").get_by_role("button", name=name).click()
    dialog = page.get_by_role("dialog", name=name)
    await expect(dialog.get_by_role("button", name="Mention")).to_be_visible()
    return dialog


@pytest.mark.slow(10)
async def test_the_owner_of_a_private_room_invites_promotes_mutes_and_removes(
    server: WebServer, new_page: PageFactory
) -> None:
    alice = await come_in(server, new_page, "alice")
    bob = await come_in(server, new_page, "bob")
    await make_private(alice, "Design team", "bob")

    # The room is there at once, with its title.
    await in_list(bob, "Design team").click()
    await expect_room(bob, "Design team")
    await expect(bob).to_have_title("Design team · Hubbub")
    await say(bob, "Lovely here.")
    await expect(message(alice, "Lovely here.")).to_be_visible()
    await expect(bob.get_by_role("button", name="Invite people")).to_have_count(0)

    dialog = await open_person(alice, "Bob")
    await no_violations(alice, "dialog[open]")
    await dialog.get_by_label("Role").select_option("Moderator")
    await dialog.get_by_role("button", name="Save").click()
    await expect(bob.get_by_role("button", name="Invite people")).to_be_visible()

    await dialog.get_by_role("button", name="Mute…").click()
    await dialog.get_by_label("For how long?").select_option("For ever")
    await dialog.get_by_role("button", name="Mute", exact=True).click()
    await expect(bob.get_by_text("You are muted here.")).to_be_visible()
    await expect(bob.get_by_label("Message in")).to_have_count(0)
    await dialog.get_by_role("button", name="Unmute").click()
    await bob.get_by_label("Message in").fill("Half a thought")

    await dialog.get_by_role("button", name="Remove from the room").click()
    await dialog.get_by_role("button", name="Remove from the room").click()
    gone = bob.get_by_role("dialog", name="You are out of this room")
    await expect(gone).to_contain_text("You were removed from Design team.")
    await expect(gone.get_by_label("What you had written")).to_have_value("Half a thought")
    await no_violations(bob, "dialog[open]")
    await gone.get_by_role("button", name="Close").click()
    await expect(in_list(bob, "Design team")).to_have_count(0)
    await expect_room(bob, "general")

    # Who was removed can be invited again in the same place.
    await dialog.get_by_role("button", name="Invite", exact=True).click()
    await expect(in_list(bob, "Design team")).to_be_visible()
    await dialog.get_by_role("button", name="Remove from the room").click()
    await dialog.get_by_role("button", name="Remove from the room").click()
    await expect(in_list(bob, "Design team")).to_have_count(0)
    await gone.get_by_role("button", name="Close").click()

    # A banned person cannot be invited before the ban is lifted.
    await dialog.get_by_role("button", name="Ban…").click()
    await dialog.get_by_role("button", name="Ban", exact=True).click()
    await expect(dialog.get_by_role("button", name="Lift the ban")).to_be_visible()
    await alice.keyboard.press("Escape")
    await alice.get_by_role("button", name="Invite people").click()
    await alice.get_by_role("combobox", name="People").fill("bob")
    await alice.keyboard.press("Enter")
    await alice.get_by_role("button", name="Invite", exact=True).click()
    await expect(alice.get_by_role("alert")).to_contain_text("banned from the room")
    await alice.keyboard.press("Escape")
    await alice.get_by_role("button", name="About this room").click()
    await alice.get_by_role("button", name="Lift the ban").click()
    await expect(alice.get_by_role("button", name="Lift the ban")).to_have_count(0)


@pytest.mark.slow(6)
async def test_two_people_talk_alone_and_one_of_them_on_a_phone(server: WebServer, new_page: PageFactory) -> None:
    carol = await come_in(server, new_page, "carol")
    dave = await come_in(server, new_page, "dave", **PHONE)

    await dave.get_by_role("button", name="People").tap()
    await dave.get_by_role("dialog", name="People").get_by_role("button", name="Carol").tap()
    await fits(dave)
    await dave.get_by_role("button", name="Message", exact=True).tap()
    await expect_room(dave, "Carol")
    await dave.get_by_label("Message in").fill("Only you read this.")
    await dave.get_by_role("button", name="Send").tap()

    section = rooms(carol).get_by_role("list", name="Direct messages")
    await expect(section.get_by_role("listitem")).to_contain_text(["Dave"])
    await carol.keyboard.press("Control+k")
    await carol.keyboard.type("dave")
    await carol.keyboard.press("Enter")
    await expect_room(carol, "Dave")
    await expect(message(carol, "Only you read this.")).to_be_visible()

    # Another device finds the rooms of its user.
    await carol.evaluate("localStorage.clear()")
    await carol.goto(f"{server.url}/#general")
    await carol.reload()
    await expect(section.get_by_role("listitem")).to_contain_text(["Dave"])

    # Who is blocked is folded away, here only.
    await in_list(carol, "Dave").click()
    await message(carol, "Only you read this.").hover()
    await carol.get_by_role("button", name="More actions").click()
    await carol.get_by_role("menuitem", name="About Dave").click()
    await carol.get_by_role("dialog").get_by_role("button", name="Block").click()
    await carol.keyboard.press("Escape")
    await expect(message(carol, "Only you read this.")).to_have_count(0)
    await carol.get_by_text("1 blocked message").get_by_role("button", name="Show").click()
    await expect(message(carol, "Only you read this.")).to_be_visible()
    await carol.reload()
    await carol.get_by_role("button", name="Blocked people").click()
    await no_violations(carol, "dialog[open]")
    await carol.get_by_role("button", name="Unblock").click()
    await expect(carol.get_by_role("dialog")).to_contain_text("You have blocked nobody.")
    await carol.keyboard.press("Escape")
    await expect(message(carol, "Only you read this.")).to_be_visible()
    await expect(carol.get_by_role("button", name="Blocked people")).to_have_count(0)


@pytest.mark.slow(6)
async def test_a_room_is_described_slowed_down_and_archived(server: WebServer, new_page: PageFactory) -> None:
    erin = await come_in(server, new_page, "erin")
    frank = await come_in(server, new_page, "frank")
    await say(frank, "Hello.")
    await expect(message(erin, "Hello.")).to_be_visible()
    await erin.get_by_role("button", name="New room").click()
    await erin.get_by_label("Name", exact=True).fill("General")
    await erin.get_by_role("button", name="Create the room").click()
    await expect(erin.get_by_role("alert")).to_contain_text("There is a room with this name already.")
    await erin.get_by_label("Name", exact=True).fill("tea-room")
    await erin.get_by_role("button", name="Create the room").click()
    await expect_room(erin, "tea-room")

    await erin.get_by_role("button", name="About this room").click()
    await erin.get_by_label("Title", exact=True).fill("Tea")
    await erin.get_by_label("What the room is for").fill("Leaves and water")
    await erin.get_by_label("Slow mode").select_option("Every 5 minutes")
    await erin.get_by_role("button", name="Save").click()

    await frank.goto(f"{server.url}/#tea-room")
    await expect_room(frank, "Tea")
    await expect(frank.get_by_role("main")).to_contain_text("Leaves and water")
    await expect(frank.get_by_text("Slow mode: one message every 5 minutes.")).to_be_visible()
    await say(frank, "Green, please.")
    await expect(frank.get_by_text("you can write again in")).to_be_visible()
    await frank.get_by_label("Message in").fill("Or black.")
    await expect(frank.get_by_role("button", name="Send")).to_be_disabled()
    await frank.get_by_role("button", name="About this room").click()
    await expect(frank.get_by_role("dialog")).to_contain_text("Leaves and water")
    await expect(frank.get_by_role("button", name="Save")).to_have_count(0)
    await expect(frank.get_by_role("button", name="Archive the room")).to_have_count(0)
    await frank.keyboard.press("Escape")

    # The owner of a room deletes what others wrote there.
    await act(erin, "Green, please.", "Delete")
    await erin.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(message(frank, "This message was deleted.")).to_be_visible()

    await erin.get_by_role("button", name="About this room").click()
    await erin.get_by_role("button", name="Archive the room").click()
    await expect(frank.get_by_text("This room is archived.")).to_be_visible()
    await expect(frank.get_by_label("Message in")).to_have_count(0)
    await erin.get_by_role("button", name="Open the room again").click()
    await expect(frank.get_by_label("Message in")).to_have_value("Or black.")


@pytest.mark.slow(8)
async def test_a_moderator_handles_what_a_member_of_a_private_room_reports(
    server: WebServer, new_page: PageFactory
) -> None:
    gina = await come_in(server, new_page, "gina")
    hugo = await come_in(server, new_page, "hugo")
    await gina.get_by_role("button", name="New room").click()
    await expect(gina.get_by_role("button", name="Create the room")).to_be_visible()
    await no_violations(gina, "dialog[open]")
    await gina.keyboard.press("Escape")
    await make_private(gina, "Garden", "hugo")
    await in_list(hugo, "Garden").click()
    await expect_room(hugo, "Garden")
    key = hugo.url.partition("#")[2]

    # Nobody reads the key of a private room, also in a text. A room that one does not know is no link.
    await say(gina, f"Rude words, also in #{key} and #general, not in #nowhere")
    rude = message(hugo, "Rude words")
    await expect(rude).to_contain_text("also in Garden and #general, not in #nowhere")
    await expect(rude.get_by_role("link")).to_have_text(["Garden", "#general"])
    await rude.hover()
    await hugo.get_by_role("button", name="More actions").click()
    await hugo.get_by_role("menuitem", name="Report…").click()
    form = hugo.get_by_role("dialog", name="Report this message")
    await form.get_by_role("textbox").fill("Nobody wants to read this.")
    await no_violations(hugo, "dialog[open]")
    await form.get_by_role("button", name="Report", exact=True).click()
    await expect(form).to_contain_text("The moderators have your report.")
    await form.get_by_role("button", name="Close").click()

    await gina.get_by_role("button", name="About this room").click()
    await expect(gina.get_by_role("button", name="Reports from the room")).to_be_visible()
    await no_violations(gina, "dialog[open]")
    await gina.get_by_role("button", name="Reports from the room").click()
    reports = gina.get_by_role("dialog", name="Reports")
    await expect(reports.get_by_role("listitem")).to_contain_text(["Nobody wants to read this."])
    await no_violations(gina, "dialog[open]")
    await reports.get_by_role("button", name="Delete the message").click()
    await expect(reports).to_contain_text("No report is open.")
    await expect(message(hugo, "This message was deleted.")).to_be_visible()
    await reports.get_by_role("button", name="Closed").click()
    await expect(reports.get_by_role("listitem")).to_contain_text(["Rude words"])
    await gina.keyboard.press("Escape")

    await gina.get_by_role("button", name="Invite people").click()
    await expect(gina.get_by_role("combobox", name="People")).to_be_visible()
    await no_violations(gina, "dialog[open]")

    # The link in a text opens the room.
    await gina.keyboard.press("Escape")
    await say(gina, "Come to #general")
    await message(hugo, "Come to").get_by_role("link", name="#general").click()
    await expect_room(hugo, "general")
