"""Channels in which something may have been missed are compared with the store, once for all."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from hubbub.delivery.gaps import CHECKED, Gaps
from hubbub.errors import Unavailable
from hubbub.wire.publication import Publication

DEADLINE = 20.0


class Store:
    """Where channels stand, and what was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.heard: list[tuple[str, int | None]] = []
        self.failures: list[Exception] = []
        self.followed = [f"room:{number}" for number in range(10)]
        self.gaps = Gaps(heads=self.heads, heard=self.hear, followed=lambda: self.followed)
        self._news = asyncio.Event()

    async def heads(self, channels: Sequence[str]) -> list[Publication]:
        self.asked.append(list(channels))
        self._news.set()
        if self.failures:
            raise self.failures.pop()
        return [Publication.head(channel, 7) for channel in channels if channel != "topic:x"]

    def hear(self, head: Publication) -> None:
        assert head.is_head
        self.heard.append((head.channel, head.position))
        self._news.set()

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not is_so():
                self._news.clear()
                await self._news.wait()


@pytest.fixture
async def store() -> Store:
    return Store()


async def test_several_gaps_of_a_channel_in_a_turn_are_one_question(store: Store) -> None:
    store.gaps.missed(["room:a", "room:b"])
    store.gaps.missed(["room:b", "topic:x"])

    await store.until(lambda: len(store.heard) == 2)

    assert store.asked == [["room:a", "room:b", "topic:x"]]
    assert store.heard == [("room:a", 7), ("room:b", 7)]


async def test_many_channels_are_asked_for_in_a_few_questions(store: Store) -> None:
    store.gaps.missed(f"room:{number}" for number in range(2 * CHECKED + 1))

    await store.until(lambda: len(store.heard) == 2 * CHECKED + 1)

    assert [len(asked) for asked in store.asked] == [CHECKED, CHECKED, 1]


async def test_heads_that_could_not_be_read_are_read_again_and_logged_once(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("hubbub.delivery.gaps.RETRY", 0.01)
    store.failures = [Unavailable("the database is away")] * 2

    store.gaps.missed(["room:a"])

    await store.until(lambda: store.heard == [("room:a", 7)])
    assert len(store.asked) == 3
    assert caplog.text.count("the database is away") == 1


async def test_a_mistake_of_a_feature_does_not_end_the_checks(store: Store) -> None:
    store.failures = [ZeroDivisionError()]
    store.gaps.missed(["room:a"])
    await store.until(lambda: len(store.asked) == 1)

    store.gaps.missed(["room:b"])

    await store.until(lambda: store.heard == [("room:b", 7)])


async def test_a_gap_during_a_read_of_the_store_is_asked_for_after_it(store: Store) -> None:
    store.gaps.missed(["room:a"])
    await store.until(lambda: len(store.asked) == 1)
    store.gaps.missed(["room:a"])

    await store.until(lambda: len(store.heard) == 2)


async def test_a_sweep_comes_round_in_five_calls(store: Store) -> None:
    for calls in range(1, 6):
        store.gaps.sweep()
        await store.until(lambda calls=calls: len(store.heard) == 2 * calls)  # type: ignore[misc]

    assert sorted(channel for channel, _ in store.heard) == sorted(store.followed)


async def test_without_channels_nothing_is_asked(store: Store) -> None:
    store.followed = []
    store.gaps.sweep()
    store.gaps.missed([])
    store.followed = ["room:a"]
    store.gaps.sweep()

    await store.until(lambda: bool(store.heard))
    assert store.asked == [["room:a"]]


async def test_after_a_stop_nothing_is_asked(store: Store) -> None:
    store.gaps.missed(["room:a"])
    store.gaps.stop()
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert store.asked == []
