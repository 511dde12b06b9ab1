"""The list of rooms, and the browser of all rooms of the server."""

from typing import Any

import pytest
from playwright.async_api import Page, Route, expect

from tests.people import person
from tests.servers import WebServer
from tests.web.pages import PHONE, Enter, choose
from tests.web.test_navigation import expect_room, join

pytestmark = pytest.mark.anyio

on_each_device = pytest.mark.parametrize("device", [{}, PHONE], ids=["desktop", "phone"])


async def expect_rooms(page: Page, section: str, *rooms: str) -> None:
    lines = page.get_by_role("navigation", name="My rooms").get_by_role("list", name=section).get_by_role("listitem")
    await expect(lines.locator("bdi")).to_have_text(list(rooms))


async def test_favourites_are_above_the_other_rooms_and_stay_there(enter: Enter, room: str) -> None:
    alice = await enter("alice", room="attic")
    await join(alice, "cellar", "kitchen")
    await expect_rooms(alice, "Rooms", "attic", "cellar", "general", "kitchen")

    await choose(alice, "kitchen", "Add to favourites")

    await expect_rooms(alice, "Favourites", "kitchen")
    await expect_rooms(alice, "Other rooms", "attic", "cellar", "general")
    await alice.reload()
    await expect_rooms(alice, "Favourites", "kitchen")
    await alice.get_by_role("button", name="attic", exact=True).click()
    await alice.keyboard.press("Alt+ArrowUp")
    await expect_room(alice, "kitchen")
    await choose(alice, "kitchen", "Remove from favourites")
    await expect_rooms(alice, "Rooms", "attic", "cellar", "general", "kitchen")


async def test_rooms_are_sorted_by_name_or_by_their_latest_message(enter: Enter, server: WebServer, room: str) -> None:
    rooms = [f"{name}-of-{room}" for name in ("attic", "cellar", "kitchen")]
    alice = await enter("alice", room=rooms[0])
    await choose(alice, "general", "Leave the room")
    await join(alice, *rooms[1:])
    async with person(server, f"bob-in-{room}") as bob:
        for name in (rooms[1], rooms[0], rooms[2]):
            await bob.ask({"type": "join", "room": name})
            await bob.ask({"type": "message", "room": name, "text": "here"})
    await expect_rooms(alice, "Rooms", *rooms)

    await alice.get_by_role("button", name="Sort rooms").click()
    await expect(alice.get_by_role("menuitemradio", name="By name")).to_have_attribute("aria-checked", "true")
    await alice.get_by_role("menuitemradio", name="By latest message").click()
    # A list under the mouse does not move.
    await alice.get_by_role("log").hover()

    newest_first = [rooms[2], rooms[0], rooms[1]]
    await expect_rooms(alice, "Rooms", *newest_first)
    await alice.reload()
    await expect_rooms(alice, "Rooms", *newest_first)


async def test_a_list_under_the_mouse_does_not_move(enter: Enter, server: WebServer, room: str) -> None:
    rooms = [f"{name}-of-{room}" for name in ("attic", "cellar")]
    alice = await enter("alice", room=rooms[0])
    await choose(alice, "general", "Leave the room")
    await join(alice, rooms[1])
    await alice.get_by_role("button", name="Sort rooms").click()
    await alice.get_by_role("menuitemradio", name="By latest message").click()

    await alice.get_by_role("button", name=rooms[0], exact=True).hover()
    async with person(server, f"bob-in-{room}", path=f"/ws/chat/{rooms[1]}") as bob:
        await bob.ask({"type": "message", "room": rooms[1], "text": "A new message"})
    await expect(alice.get_by_role("log").get_by_text("A new message")).to_be_visible()
    await expect_rooms(alice, "Rooms", *rooms)

    await alice.get_by_role("log").hover()
    await expect_rooms(alice, "Rooms", *reversed(rooms))


async def test_arrow_keys_lead_through_the_list_and_the_tab_key_past_it(enter: Enter, room: str) -> None:
    alice = await enter("alice", room="attic")
    await join(alice, "cellar", "kitchen")
    await alice.get_by_role("button", name="Sort rooms").focus()
    await alice.keyboard.press("Tab")
    await expect(alice.get_by_role("button", name="kitchen", exact=True)).to_be_focused()

    for key, name in (
        ("Home", "attic"),
        ("ArrowUp", "attic"),
        ("ArrowDown", "cellar"),
        ("ArrowRight", "Actions for cellar"),
        ("ArrowDown", "general"),
        ("ArrowRight", "Actions for general"),
        ("ArrowLeft", "general"),
        ("End", "kitchen"),
        ("Shift+Tab", "Sort rooms"),
        ("Tab", "kitchen"),
        ("Tab", "Browse all rooms"),
    ):
        await alice.keyboard.press(key)
        await expect(alice.get_by_role("button", name=name, exact=True)).to_be_focused()


@on_each_device
async def test_a_menu_is_used_by_keyboard_and_returns_the_focus(
    enter: Enter, room: str, device: dict[str, Any]
) -> None:
    alice = await enter("alice", reduced_motion="reduce", **device)
    if device:
        await alice.get_by_role("button", name="Rooms").tap()
    button = alice.get_by_role("button", name=f"Actions for {room}")
    menu = alice.get_by_role("menu", name=f"Actions for {room}")
    await button.focus()
    await alice.keyboard.press("Enter")

    for key, item in (
        ("", "Add to favourites"),
        ("ArrowUp", "Leave the room"),
        ("ArrowDown", "Add to favourites"),
        ("c", "Copy link"),
        ("End", "Leave the room"),
        ("Home", "Add to favourites"),
    ):
        await alice.keyboard.press(key) if key else None
        await expect(menu.get_by_role("menuitem", name=item)).to_be_focused()
    await alice.keyboard.press("Escape")
    await expect(menu).to_have_count(0)
    await expect(button).to_be_focused()
    await expect(button).to_have_attribute("aria-expanded", "false")

    await button.tap() if device else await button.click()
    await expect(menu).to_be_visible()
    await alice.get_by_role("heading", name="Rooms").click()
    await expect(menu).to_have_count(0)


async def test_all_rooms_of_the_server_are_browsed_searched_and_joined(
    enter: Enter, server: WebServer, room: str
) -> None:
    rooms = [f"{room}-{number:03}" for number in range(130)]
    async with person(server, f"bob-in-{room}") as bob:
        for start in (0, 100):
            await bob.send({"type": "join", "rooms": [{"room": name} for name in rooms[start : start + 100]]})
        for name in rooms:
            await bob.ask({"type": "message", "room": name, "text": "mine"})

        alice = await enter("alice", reduced_motion="reduce")
        await alice.get_by_role("button", name="Browse all rooms").click()
        field = alice.get_by_role("combobox", name="Search rooms")
        await expect(field).to_be_focused()
        await alice.keyboard.type(room)
        options = alice.get_by_role("option")
        await expect(options.first).to_contain_text(f"{room} joined")
        await expect(options).to_have_count(100)
        await alice.keyboard.press("ArrowUp")
        await expect(options.filter(has_text=rooms[-1])).to_contain_text("1 online")
        await expect(options).to_have_count(131)

        await field.fill(rooms[77])
        await expect(options).to_have_count(1)
        await alice.keyboard.press("Enter")
    await expect_room(alice, rooms[77])
    await expect(alice.get_by_role("log")).to_contain_text("mine")
    await expect(alice.get_by_role("dialog")).to_have_count(0)


async def test_a_room_that_nobody_has_yet_is_created_from_the_browser(enter: Enter, room: str) -> None:
    alice = await enter("alice")
    await alice.get_by_role("button", name="Browse all rooms").click()
    await expect(alice.get_by_role("combobox", name="Search rooms")).to_be_focused()

    await alice.keyboard.type(f"new {room}")
    await alice.get_by_role("option", name=f"new-{room}").click()

    await expect_room(alice, f"new-{room}")


async def test_the_browser_of_rooms_says_why_there_are_none(enter: Enter, room: str) -> None:
    alice = await enter("alice")
    browse = alice.get_by_role("button", name="Browse all rooms")
    said = alice.get_by_role("dialog").get_by_role("alert")

    async def is_of_an_older_version(route: Route) -> None:
        await route.fulfill(status=404, json={"detail": "Not Found"})

    async def is_not_reached_by_the_proxy(route: Route) -> None:
        await route.fulfill(status=502, body="<h1>Bad Gateway</h1>")

    await alice.route("**/api/v1/rooms*", is_of_an_older_version)
    await browse.click()
    await expect(said).to_contain_text("This server is older than this page")
    await alice.keyboard.press("Escape")
    await expect(browse).to_be_focused()

    await alice.unroute("**/api/v1/rooms*")
    await alice.route("**/api/v1/rooms*", is_not_reached_by_the_proxy)
    await browse.click()
    await expect(said).to_contain_text("The rooms cannot be listed now.")
    await alice.unroute("**/api/v1/rooms*")
    await said.get_by_role("button", name="Try again").click()
    await expect(alice.get_by_role("option", name=room)).to_be_visible()


async def test_keys_do_not_reach_the_page_while_the_browser_of_rooms_loads(enter: Enter, room: str) -> None:
    alice = await enter("alice")
    arrived: list[Route] = []

    async def waits(route: Route) -> None:
        arrived.append(route)

    # The first page of all, which asks for a name, has loaded it already.
    await alice.route("**/assets/later-*.js", waits)
    await alice.reload()
    await expect(alice.get_by_label("Message in")).to_be_visible()
    await alice.get_by_role("button", name="Browse all rooms").click()
    await expect(alice.get_by_role("dialog")).to_be_visible()
    await alice.keyboard.type("?kit")
    assert len(arrived) == 1
    await arrived[0].continue_()

    search = alice.get_by_role("combobox", name="Search rooms")
    await expect(search).to_be_focused()
    await expect(search).to_have_value("?kit")
    await expect(alice.get_by_label("Message in")).to_have_value("")
    await expect(alice.get_by_role("dialog")).to_have_count(1)
