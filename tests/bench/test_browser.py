"""What Chromium says of a page is about what a user sees."""

import asyncio

import pytest

from bench import browser
from bench.browser import chromium, visiting

FIELD_AT_THE_BOTTOM = """data:text/html,<!doctype html>
<textarea style='position: fixed; bottom: 0'></textarea>
<script>
  const isDue = () => performance.now() - began < 50;
  let began;
  addEventListener('keydown', () => { for (began = performance.now(); isDue(); ); });
</script>"""


async def test_a_key_in_the_last_line_of_the_page_counts_as_painted_without_another_change() -> None:
    if reason := browser.missing():
        pytest.skip(reason)
    async with asyncio.timeout(60), chromium() as started, visiting(started, FIELD_AT_THE_BOTTOM, slowdown=1) as visit:
        await visit.page.get_by_role("textbox").focus()
        await asyncio.gather(*visit.press("e"))
        await visit.page.wait_for_function("() => bench.slowKeys.length === 1", timeout=20_000)
