"""Pages that are shared with callers who ask for the same: for how long, how many, and with whom."""

import asyncio
from dataclasses import replace

import pytest

from hubbub.features.messages import shared_reads
from hubbub.features.messages.log_pages import Head, Page
from hubbub.features.messages.shared_reads import AGE, KEPT_BYTES, SharedReads

PAGE = Page(Head("lobby", 9, 9, 0, 0, "epoch", 1, 1), [], [], False, 1000)


class Database:
    """Gives a page of so many bytes, and counts how often it was asked."""

    def __init__(self, size: int = 1000, rev: int = 9) -> None:
        self.size, self.rev = size, rev
        self.asked = 0

    async def read(self) -> Page:
        self.asked += 1
        await asyncio.sleep(0)
        return replace(PAGE, head=replace(PAGE.head, rev=self.rev), size=self.size)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_all_who_ask_at_once_and_a_moment_later_are_given_the_same_page() -> None:
    shared, database = SharedReads(Clock()), Database()

    pages = await asyncio.gather(*(shared.get("latest", 9, database.read) for _ in range(100)))
    pages.append(await shared.get("latest", 9, database.read))

    assert database.asked == 1
    assert all(page is pages[0] for page in pages)


async def test_a_page_that_the_room_has_moved_past_is_read_again() -> None:
    shared, database = SharedReads(Clock()), Database()
    await shared.get("latest", 9, database.read)
    database.rev = 10

    page = await shared.get("latest", 10, database.read)

    assert page.head.rev == 10
    assert database.asked == 2


async def test_kept_pages_are_bounded_in_bytes() -> None:
    shared, database = SharedReads(Clock()), Database(KEPT_BYTES // 4)

    for number in range(20):
        await shared.get(number, 9, database.read)
        assert shared.kept_bytes <= KEPT_BYTES

    await shared.get(19, 9, database.read)
    assert database.asked == 20
    await shared.get(0, 9, database.read)
    assert database.asked == 21


async def test_a_page_that_is_too_large_alone_is_given_and_not_kept() -> None:
    shared, database = SharedReads(Clock()), Database(KEPT_BYTES + 1)

    assert (await shared.get("latest", 9, database.read)).size == KEPT_BYTES + 1

    assert shared.kept_bytes == 0


async def test_pages_that_are_too_old_for_anybody_are_dropped_although_nobody_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shared_reads, "AGE", 0.01)
    clock = Clock()
    shared, database = SharedReads(clock), Database()
    for number in range(20):
        await shared.get(number, 9, database.read)
    assert shared.kept_bytes > 0

    clock.now += AGE
    async with asyncio.timeout(20):
        while shared.kept_bytes:  # noqa: ASYNC110 - a timer of its own ends it
            await asyncio.sleep(0.001)
