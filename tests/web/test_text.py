"""What is written with marks, and what it becomes on the page."""

import pytest
from playwright.async_api import expect

from tests.web.pages import PHONE, Enter, message, say

pytestmark = pytest.mark.anyio

WRITTEN = """**Bold**, *italic*, ~~struck~~ and `code` for @bob: [the docs](https://docs.example/a)

- one
- two
  1. nested

> said before

| name | count |
|------|------:|
| cake |     3 |

```python
def bake(cakes):
    return cakes + 1  # one more
```"""


async def test_marks_become_bold_lists_tables_and_code(enter: Enter) -> None:
    alice, bob = await enter("alice"), await enter("bob")
    await say(alice, WRITTEN)

    for page in (alice, bob):
        said = message(page, "Bold")
        for kind, text in (
            ("strong", "Bold"),
            ("em", "italic"),
            ("s", "struck"),
            ("ol > li", "nested"),
            ("blockquote", "said before"),
            ("td", "cake"),
            (".keyword", "def"),
        ):
            await expect(said.locator(kind, has_text=text)).to_have_count(1)
        link = said.get_by_role("link", name="the docs")
        await expect(link).to_have_attribute("href", "https://docs.example/a")
        await expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")


async def test_code_is_copied_as_it_was_written(enter: Enter) -> None:
    alice = await enter("alice", permissions=["clipboard-read", "clipboard-write"])
    await say(alice, "```\n  **two**\n\tthree\n```")
    await message(alice, "two").get_by_role("button", name="Copy", exact=True).click()
    await expect(message(alice, "two").get_by_role("button", name="Copied")).to_be_visible()
    assert await alice.evaluate("navigator.clipboard.readText()") == "  **two**\n\tthree"


async def test_dangerous_addresses_are_text(enter: Enter) -> None:
    alice = await enter("alice")
    await say(alice, "danger: [click](javascript:alert(1)) [click](data:text/html,x) <img src=x onerror=alert(1)>")
    await expect(message(alice, "danger")).to_be_visible()
    assert await message(alice, "danger").locator("a, img").count() == 0


async def test_a_long_message_is_folded_until_its_reader_wants_all_of_it(enter: Enter) -> None:
    alice = await enter("alice")
    await say(alice, "\n".join(f"line {number}." for number in range(100)))
    last = alice.get_by_role("log").get_by_text("line 99.")
    await expect(message(alice, "line 1.")).to_be_visible()
    await expect(last).to_have_count(0)
    await alice.get_by_role("button", name="Show more").click()
    await expect(last).to_have_count(1)
    await alice.get_by_role("button", name="Show less").click()
    await expect(last).to_have_count(0)


async def test_an_override_of_the_direction_ends_with_its_message(enter: Enter) -> None:
    alice = await enter("alice")
    await say(alice, "\u202eoverride [words](https://a.example)")
    await say(alice, "after it")
    isolated = "element => getComputedStyle(element).unicodeBidi"
    for words in (message(alice, "override").locator(".body > p"), message(alice, "override").locator("a bdi")):
        assert (await words.evaluate(isolated)).startswith("isolate")


LONGEST = 4_000
TABLE = "|a" * 12 + "\n" + "|-" * 12 + ("\n" + "|~~*x*~~ [**y**](https://a.example)" * 12) * 9
NESTED = ("> " * LONGEST, "- " * LONGEST, "**~~*" * LONGEST, "[" * LONGEST, TABLE)


async def test_the_longest_and_most_nested_texts_leave_the_page_whole(enter: Enter) -> None:
    alice = await enter("alice", **PHONE)
    field, send = alice.get_by_label("Message in"), alice.get_by_role("button", name="Send")
    lines = alice.get_by_role("log").get_by_role("article")

    await field.fill("\N{PARTY POPPER}" * 10_000)
    await expect(send).to_be_disabled()
    await expect(alice.get_by_role("status").get_by_text(f"{LONGEST - 10_000}", exact=True)).to_be_visible()
    for count, text in enumerate((*NESTED, "\N{PARTY POPPER}" * LONGEST), 1):
        await field.fill(text[:LONGEST].strip())
        await send.click()
        await expect(lines).to_have_count(count)
        await expect(lines.last.locator(".words, ul, blockquote, table").first).to_be_in_viewport()
        # A wide table scrolls within its message.
        assert await lines.last.evaluate("line => line.scrollWidth <= line.clientWidth")
    await lines.last.get_by_role("button", name="Show more").click()
    assert await lines.last.evaluate("line => line.scrollWidth <= line.clientWidth")
