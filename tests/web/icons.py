"""Draws the page's icons from web/public/icon.svg: `.venv/bin/python -m tests.web.icons`."""

import asyncio
import struct

from playwright.async_api import async_playwright

from tests.conftest import BROWSER_OPTIONS
from tests.servers import REPOSITORY, find_program

PUBLIC = REPOSITORY / "web/public"
GROUND = "#ffffff"


async def main() -> None:
    drawing = (PUBLIC / "icon.svg").read_text()
    program = find_program("chromium", "chromium-browser", "google-chrome", package="chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=BROWSER_OPTIONS)
        page = await browser.new_page()

        async def draw(size: int, *, shown: float = 1.0, ground: str = "transparent") -> bytes:
            await page.set_viewport_size({"width": size, "height": size})
            await page.set_content(
                f"<style>body {{ margin: 0; height: 100vh; display: grid; place-items: center; background: {ground} }}"
                f"svg {{ width: {shown:.0%}; height: {shown:.0%} }}</style>{drawing}"
            )
            return await page.screenshot(omit_background=True)

        for size in (192, 512):
            (PUBLIC / f"icon-{size}.png").write_bytes(await draw(size))
        # A mask may cut off all but the inner 80 %: https://www.w3.org/TR/appmanifest/#icon-masks
        (PUBLIC / "icon-maskable-512.png").write_bytes(await draw(512, shown=0.6, ground=GROUND))
        (PUBLIC / "favicon.ico").write_bytes(ico(await draw(32), 32))
        await browser.close()


def ico(png: bytes, size: int) -> bytes:
    """An ICO file with one picture, which may be a PNG since Windows Vista."""
    head = struct.pack("<HHH", 0, 1, 1)
    return head + struct.pack("<BBBBHHII", size, size, 0, 0, 1, 32, len(png), len(head) + 16) + png


if __name__ == "__main__":
    asyncio.run(main())
