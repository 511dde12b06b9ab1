"""The examples' pages, in a real browser."""

import re

from playwright.async_api import Page, expect

from examples import (
    broadcast,
    echo,
    heartbeat,
    host_app,
    notification_topics,
    numbered_clients,
    presence,
    rooms,
    username_chat,
)
from hubbub.testing.fixtures import Serve
from tests.conftest import PageFactory


async def say(page: Page, text: str) -> None:
    message = page.get_by_label("Message")
    await message.fill(text)
    # The button is enabled once the socket is open, and the click waits for that.
    await page.locator("form", has=message).get_by_role("button").click()


async def test_echo_shows_what_comes_back(serve: Serve, new_page: PageFactory) -> None:
    server = await serve(echo.app)
    page = await new_page()
    await page.goto(server.url)

    await say(page, '{"answer": 42}')

    await expect(page.get_by_role("listitem")).to_have_text('{"echo": {"answer": 42}}')


async def test_broadcast_shows_everybodys_lines_and_how_many_are_here(serve: Serve, new_page: PageFactory) -> None:
    server = await serve(broadcast.app)
    alice, bob = await new_page(), await new_page()
    await alice.goto(server.url)
    await bob.goto(server.url)
    await expect(alice.get_by_role("status")).to_have_text("2")

    await say(bob, "<b>hello</b>")

    await expect(alice.get_by_role("listitem")).to_contain_text("<b>hello</b>")
    await bob.close()
    await expect(alice.get_by_role("status")).to_have_text("1")


async def test_the_username_chat_shows_system_lines_and_says_why_a_name_is_refused(
    serve: Serve, new_page: PageFactory
) -> None:
    server = await serve(username_chat.app)
    alice, bob = await new_page(), await new_page()
    for page in (alice, bob):
        await page.goto(server.url)
        await page.get_by_label("Your name").fill("alice")
        await page.keyboard.press("Enter")
        if page is alice:
            await expect(page.get_by_role("listitem")).to_contain_text("SYSTEM: alice joined the chat")

    await expect(bob.get_by_role("alert")).to_contain_text("in use")
    await bob.get_by_label("Your name").fill("bob")
    await bob.keyboard.press("Enter")
    await expect(alice.get_by_role("listitem").last).to_contain_text("SYSTEM: bob joined the chat")
    await say(bob, "hello")
    await expect(alice.get_by_role("listitem").last).to_contain_text("bob: hello")


async def test_rooms_shows_one_room_at_a_time(serve: Serve, new_page: PageFactory) -> None:
    server = await serve(rooms.app)
    page = await new_page()
    await page.goto(server.url)
    await page.get_by_role("button", name="Enter").click()
    await say(page, "dinner is ready")
    await expect(page.get_by_role("listitem").last).to_contain_text("dinner is ready")

    await page.get_by_label("Room").fill("garden")
    await page.get_by_role("button", name="Enter").click()

    await expect(page.get_by_role("listitem")).to_have_text("You are in garden, with 0 others.")


async def test_notifications_are_shown_with_their_level(serve: Serve, new_page: PageFactory) -> None:
    server = await serve(notification_topics.app)
    page = await new_page()
    await page.goto(server.url)
    await page.get_by_role("button", name="Follow").click()
    await expect(page.get_by_role("listitem")).to_have_text("You follow alerts.*.")

    await page.get_by_label("Level").select_option("error")
    await page.get_by_label("Title").fill("Disk is full")
    await page.get_by_role("button", name="Publish").click()

    await expect(page.get_by_role("listitem").last).to_have_text("error: Disk is full")
    await expect(page.get_by_role("status")).to_have_text("1 were told")


async def test_numbered_clients_see_their_own_answer_and_everybodys_texts(serve: Serve, new_page: PageFactory) -> None:
    server = await serve(numbered_clients.app)
    page = await new_page()
    await page.goto(server.url)

    await say(page, "hello")

    await expect(page.get_by_role("listitem").first).to_have_text("You wrote: hello")
    await expect(page.get_by_role("listitem").last).to_have_text(re.compile(r"Client #\d+ says: hello"))


async def test_the_heartbeat_page_reconnects_by_itself(serve: Serve, new_page: PageFactory) -> None:
    server = await serve(heartbeat.app)
    page = await new_page()
    await page.goto(server.url)
    state = page.get_by_role("status")
    await expect(state).to_have_text("connected")

    for connection in heartbeat.hub.connections:
        connection.abort()

    await expect(state).to_contain_text("gone")
    await expect(state).to_have_text("connected")


async def test_presence_lists_who_is_here(serve: Serve, new_page: PageFactory) -> None:
    server = await serve(presence.app)
    alice, bob = await new_page(), await new_page()
    for page, name in ((alice, "alice"), (bob, "bob")):
        await page.goto(server.url)
        await page.get_by_label("Your name").fill(name)
        await page.get_by_role("button").click()
        await expect(page.get_by_role("listitem").last).to_have_text(name)

    await expect(alice.get_by_role("listitem")).to_have_text(["alice", "bob"])
    await bob.close()
    await expect(alice.get_by_role("listitem")).to_have_text(["alice"])


async def test_the_host_app_shows_shipped_orders_after_login(serve: Serve, new_page: PageFactory) -> None:
    server = await serve(host_app.app)
    page = await new_page()
    await page.goto(server.url)
    await page.get_by_label("Name").fill("alice")
    for password in ("wrong", "wonderland"):
        await page.get_by_label("Password").fill(password)
        await page.get_by_role("button", name="Log in").click()
        if password == "wrong":
            await expect(page.get_by_role("alert")).to_have_text("That is not your password.")

    await expect(page.get_by_role("link", name="to the chat")).to_be_visible()
    await host_app.tell_buyer(7)
    await expect(page.get_by_role("listitem")).to_have_text("Your order 7 has shipped")
