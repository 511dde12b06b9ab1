"""What people do on the page, and their devices."""

from collections.abc import Awaitable, Callable

from playwright.async_api import Locator, Page, expect

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}

Enter = Callable[..., Awaitable[Page]]


async def say(page: Page, text: str) -> None:
    await page.get_by_label("Message in").fill(text)
    await page.get_by_role("button", name="Send").click()


async def expect_live(page: Page) -> None:
    await expect(page.get_by_text("Live", exact=True)).to_be_visible()


async def everything_is_sent(page: Page) -> None:
    """Waits until the browser stores no message that is not sent."""
    await page.wait_for_function("() => !Object.keys(localStorage).some(name => name.includes('unsent:'))")


async def come_back(page: Page) -> None:
    """Reconnects at once: the browser tells the page that there is a network."""
    await page.evaluate("window.dispatchEvent(new Event('online'))")
    await expect_live(page)


def message(page: Page, text: str) -> Locator:
    """Messages with this text, without those that only quote it."""
    words = page.locator(".body > :not(button)", has_text=text)
    return page.get_by_role("log").locator(".message", has=words)


async def choose(page: Page, room: str, action: str) -> None:
    """Chooses an item of a room's menu, by keyboard: on a phone and in a list of any length."""
    await page.get_by_role("button", name=f"Actions for {room}", exact=True).focus()
    await page.keyboard.press("Enter")
    await page.get_by_role("menu").get_by_role("menuitem", name=action, exact=True).click()


async def leave(page: Page, room: str) -> None:
    await choose(page, room, "Leave the room")


async def act(page: Page, text: str, action: str) -> None:
    """Press one of a message's buttons."""
    await message(page, text).hover()
    await message(page, text).get_by_role("button", name=action, exact=True).click()


async def tap(page: Page, text: str, action: str) -> None:
    """The same by touch, on a phone."""
    # A phone has no mouse, but entering has left a pointer on the page.
    await page.mouse.move(0, 0)
    await message(page, text).tap()
    await message(page, text).get_by_role("button", name=action, exact=True).tap()
