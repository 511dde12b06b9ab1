"""The examples' pages, in a real browser."""

from playwright.async_api import Page, expect

from examples import broadcast, echo, rooms, username_chat
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


async def test_broadcast_shows_everybody_s_lines_and_how_many_are_here(serve: Serve, new_page: PageFactory) -> None:
    server = await serve(broadcast.app)
    alice, bob = await new_page(), await new_page()
    await alice.goto(server.url)
    await bob.goto(server.url)
    await expect(alice.get_by_role("status")).to_have_text("2")

    await say(bob, "<b>hello</b>")

    await expect(alice.get_by_role("listitem")).to_contain_text("<b>hello</b>")
    await bob.close()
    await expect(alice.get_by_role("status")).to_have_text("1")


async def test_the_username_chat_shows_system_s_lines_and_says_why_a_name_is_refused(
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
