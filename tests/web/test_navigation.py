"""Back, Forward and addresses lead where people expect, and the page says when an address is wrong."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.conftest import PageFactory
from tests.servers import WebServer
from tests.web.pages import PHONE, Enter, act, expect_live, leave, message
from tests.web.test_stored_rooms import fill

pytestmark = pytest.mark.anyio


async def join(page: Page, *rooms: str) -> None:
    for room in rooms:
        await page.get_by_label("Join or create a room").fill(room)
        await page.keyboard.press("Enter")
        await expect_room(page, room)


async def expect_room(page: Page, room: str) -> None:
    await expect(page.get_by_role("heading", name=room, level=1)).to_be_visible()
    await expect(page).to_have_url(f"{page.url.partition('#')[0]}#{room}")


async def test_back_leads_to_the_previous_room_and_forward_to_the_next(enter: Enter, room: str) -> None:
    alice = await enter("alice")
    await join(alice, "kitchen", "hall")
    await alice.get_by_role("button", name=room, exact=True).click()
    await expect_room(alice, room)

    for before in ("hall", "kitchen", room):
        await alice.go_back()
        await expect_room(alice, before)
    for after in ("kitchen", "hall", room):
        await alice.go_forward()
        await expect_room(alice, after)


async def test_choosing_the_same_room_again_adds_no_step(enter: Enter, room: str) -> None:
    alice = await enter("alice")
    await join(alice, "kitchen")
    for _ in range(3):
        await alice.get_by_role("button", name="kitchen", exact=True).click()

    await alice.go_back()

    await expect_room(alice, room)


async def test_back_does_not_lead_into_a_room_that_was_just_left(enter: Enter, room: str) -> None:
    alice = await enter("alice")
    await join(alice, "kitchen", "hall")
    await leave(alice, "hall")
    await expect(alice.get_by_role("heading", name="hall", level=1)).to_have_count(0)

    await alice.go_back()

    await expect_room(alice, "kitchen")
    await expect(alice.get_by_role("button", name="hall", exact=True)).to_have_count(0)


async def test_on_a_phone_back_leads_from_a_room_to_the_list(enter: Enter, room: str) -> None:
    alice = await enter("alice", **PHONE)
    rooms = alice.get_by_role("navigation", name="My rooms")
    await expect(rooms).to_be_hidden()

    await alice.go_back()
    await expect(rooms).to_be_visible()
    await join(alice, "kitchen")
    await expect(rooms).to_be_hidden()
    await alice.go_back()
    await expect(rooms).to_be_visible()
    await alice.go_forward()
    await expect(rooms).to_be_hidden()
    await expect_room(alice, "kitchen")


async def test_on_a_phone_the_list_is_always_one_step(enter: Enter, room: str) -> None:
    alice = await enter("alice", **PHONE)
    rooms = alice.get_by_role("navigation", name="My rooms")
    length = await alice.evaluate("history.length")
    for _ in range(3):
        await alice.get_by_role("button", name="Rooms").tap()
        await expect(rooms).to_be_visible()
        await alice.keyboard.press("Escape")
        await expect(rooms).to_be_hidden()

    await expect_room(alice, room)
    assert await alice.evaluate("history.length") == length
    await alice.go_back()
    await expect(rooms).to_be_visible()


async def test_the_shown_room_is_visible_in_a_long_list(enter: Enter, room: str) -> None:
    alice = await enter("alice", viewport={"width": 1280, "height": 400})
    await join(alice, *(f"{room}-{number}" for number in range(12)))
    marked = alice.get_by_role("navigation", name="My rooms").locator("[aria-current]")
    await expect(marked).to_have_text(f"# {room}-11")
    await expect(marked).to_be_in_viewport(ratio=1)

    await alice.evaluate("room => (location.hash = room)", room)
    await expect(marked).to_have_text(f"# {room}")
    await expect(marked).to_be_in_viewport(ratio=1)
    await alice.go_back()

    await expect(marked).to_have_text(f"# {room}-11")
    await expect(marked).to_be_in_viewport(ratio=1)


async def test_a_reload_adds_no_step(enter: Enter, room: str) -> None:
    alice = await enter("alice", **PHONE)
    length = await alice.evaluate("history.length")

    await alice.reload()
    await expect_room(alice, room)

    assert await alice.evaluate("history.length") == length


@pytest.mark.parametrize("device", [{}, PHONE], ids=["desktop", "phone"])
async def test_the_page_says_when_an_address_is_not_a_room(enter: Enter, room: str, device: dict[str, object]) -> None:
    alice = await enter("alice", **device)

    await alice.evaluate("location.hash = '#not a room'")
    await expect(alice.get_by_role("alert")).to_contain_text("There is no room “not a room”.")
    await alice.reload()
    await expect(alice.get_by_role("alert")).to_contain_text("There is no room “not a room”.")
    await expect(alice.get_by_label("Message in")).to_have_count(0)
    await alice.go_back()
    await expect_room(alice, room)
    await alice.go_forward()
    await expect(alice.get_by_role("heading", name="No such room")).to_be_visible()
    if device:
        await alice.get_by_role("button", name="Rooms").tap()
    in_the_list = alice.get_by_role("button", name=room, exact=True)
    await expect(in_the_list).not_to_have_attribute("aria-current", "page")
    await in_the_list.click()
    await expect_room(alice, room)


async def test_a_page_that_is_opened_at_a_wrong_address_says_so(server: WebServer, enter: Enter) -> None:
    alice = await enter("alice")
    tab = await alice.context.new_page()
    await tab.goto(f"{server.url}/#caf%C3%A9")
    await tab.get_by_label("Your name").fill("bob")
    await tab.keyboard.press("Enter")

    await expect(tab.get_by_role("alert")).to_contain_text("There is no room “café”.")
    await expect_live(tab)
    await join(tab, "cafe")


async def test_a_link_leads_to_its_message_however_old_it_is(enter: Enter, server: WebServer, room: str) -> None:
    await fill(server, room, 200)
    alice = await enter("alice")
    await expect(message(alice, "line 200.")).to_be_in_viewport()
    tab = await alice.context.new_page()
    await tab.goto(f"{server.url}/#{room}/20")
    await tab.get_by_label("Your name").fill("bob")
    await tab.keyboard.press("Enter")

    await expect(message(tab, "line 20.")).to_be_in_viewport()
    await expect(message(tab, "line 20.")).to_have_class(re.compile("found"))
    await expect(message(tab, "line 200.")).to_have_count(0)
    await tab.reload()
    await expect(message(tab, "line 20.")).to_be_in_viewport()


async def test_back_and_forward_lead_between_messages(enter: Enter, server: WebServer, room: str) -> None:
    await fill(server, room, 200)
    alice = await enter("alice")
    await expect(message(alice, "line 200.")).to_be_in_viewport()
    await alice.evaluate("room => (location.hash = `${room}/20`)", room)
    await expect(message(alice, "line 20.")).to_be_in_viewport()
    await join(alice, "kitchen")

    await alice.go_back()

    await expect(alice.get_by_role("heading", name=room, level=1)).to_be_visible()
    await expect(message(alice, "line 20.")).to_be_in_viewport()
    await alice.evaluate("room => (location.hash = `${room}/190`)", room)
    await expect(message(alice, "line 190.")).to_be_in_viewport()
    await alice.go_back()
    await expect(message(alice, "line 20.")).to_be_in_viewport()


async def test_a_link_to_no_message_says_so(enter: Enter, server: WebServer, room: str) -> None:
    await fill(server, room, 20)
    alice = await enter("alice")
    await expect(message(alice, "line 20.")).to_be_in_viewport()

    await alice.evaluate("room => (location.hash = `${room}/999`)", room)

    await expect(alice.get_by_text("There is no such message in this room.")).to_be_visible()
    await expect(message(alice, "line 20.")).to_be_in_viewport()
    await alice.evaluate("room => (location.hash = `${room}/first`)", room)
    await expect(alice.get_by_role("alert")).to_contain_text(f"There is no room “{room}/first”.")


async def test_the_link_of_a_message_can_be_copied(enter: Enter, server: WebServer, room: str) -> None:
    await fill(server, room, 3)
    alice = await enter("alice", permissions=["clipboard-read", "clipboard-write"])

    await act(alice, "line 2.", "Copy link")

    await expect(alice.get_by_role("button", name="Link copied")).to_be_visible()
    assert await alice.evaluate("navigator.clipboard.readText()") == f"{server.url}/#{room}/2"


async def test_an_unknown_address_leads_to_the_chat(server: WebServer, new_page: PageFactory) -> None:
    page = await new_page()
    answer = await page.goto(f"{server.url}/kitchen")

    assert answer is not None
    assert answer.status == 404
    await expect(page.get_by_role("heading", name="There is nothing at this address")).to_be_visible()
    await page.get_by_role("link", name="To the room “kitchen”").click()
    await page.get_by_label("Your name").fill("alice")
    await page.keyboard.press("Enter")
    await expect_room(page, "kitchen")


async def test_a_program_gets_the_same_answer_as_json(server: WebServer, new_page: PageFactory) -> None:
    page = await new_page()
    answer = await page.request.get(f"{server.url}/kitchen", headers={"Accept": "application/json"})

    assert (answer.status, await answer.json()) == (404, {"detail": "Not Found"})
