"""A channel is delivered in order and without a gap, although the broker loses, doubles and reorders publications."""

import asyncio
import random
from collections.abc import Callable, Sequence

import pytest

from hubbub.delivery.sequencer import KEPT, Sequencer
from hubbub.wire.publication import Publication

ROOM = "room:lobby"
DEADLINE = 10.0


def said(position: int | None, *, channel: str = ROOM, ephemeral: bool = False) -> Publication:
    return Publication(channel, {"type": "said"}, position=position, ephemeral=ephemeral)


class Town:
    """A sequencer, what it delivered, and a store that has everything up to `head`."""

    def __init__(self, *, wait: float = 0.0, follows: bool = True) -> None:
        self.delivered: list[Publication] = []
        self.asked: list[int] = []
        self.head = 0
        self.failures: list[Exception] = []
        self.stores = True
        self.poisoned: set[int | None] = set()
        self.gate = asyncio.Event()
        """While it is closed, answers of the store wait."""
        self.gate.set()
        self._news = asyncio.Event()
        self.sequencer = Sequencer(deliver=self._deliver, fetch=self._fetch, wait=wait, retry=0.0)
        self.sequencer.start(asyncio.get_running_loop())
        if follows:
            self.sequencer.follow(ROOM)

    def _deliver(self, publication: Publication) -> None:
        if publication.position in self.poisoned:
            raise ValueError("no codec can say it")
        self.delivered.append(publication)
        self._news.set()

    async def _fetch(self, channel: str, position: int) -> Sequence[Publication]:
        self.asked.append(position)
        head = self.head
        self._news.set()
        await asyncio.sleep(0)
        await self.gate.wait()
        if self.failures:
            raise self.failures.pop()
        if not self.stores:
            return []
        return [Publication(channel, {"type": "sync"}, position=head, since=position)]

    def receive(self, *positions: int) -> None:
        for position in positions:
            self.head = max(self.head, position)
            self.sequencer.receive(said(position))

    def hear_head(self, position: int) -> None:
        self.head = max(self.head, position)
        self.sequencer.receive(Publication.head(ROOM, position))

    @property
    def spans(self) -> list[tuple[int | None, int | None]]:
        """What was delivered, as (since, position)."""
        return [(publication.since, publication.position) for publication in self.delivered]

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not is_so():
                self._news.clear()
                await self._news.wait()

    async def until_delivered(self, position: int) -> None:
        await self.until(lambda: bool(self.delivered) and self.delivered[-1].position == position)


async def test_publications_in_order_are_delivered_at_once() -> None:
    town = Town()

    town.receive(7, 8, 9)

    assert town.spans == [(6, 7), (7, 8), (8, 9)]


async def test_a_publication_that_was_overtaken_is_waited_for() -> None:
    town = Town(wait=DEADLINE)

    town.receive(1, 3, 4)
    before = town.spans
    town.receive(2)

    assert before == [(0, 1)]
    assert town.spans == [(0, 1), (1, 2), (2, 3), (3, 4)]
    assert town.asked == []
    town.sequencer.stop()


async def test_a_publication_that_does_not_come_is_fetched_once_for_all() -> None:
    town = Town()

    town.receive(1, 4, 5)
    await town.until_delivered(5)
    town.receive(6)

    assert town.asked == [1]
    assert town.spans == [(0, 1), (1, 5), (5, 6)]


async def test_a_lost_last_publication_is_noticed_by_the_head() -> None:
    town = Town()

    town.receive(1)
    town.hear_head(1)
    town.hear_head(3)
    await town.until_delivered(3)

    assert town.asked == [1]
    assert town.spans == [(0, 1), (1, 3)]


async def test_a_head_counts_from_the_position_that_a_subscriber_was_told() -> None:
    town = Town()

    town.hear_head(3)
    town.sequencer.was_told_up_to(ROOM, 3)
    town.hear_head(4)
    await town.until_delivered(4)
    town.receive(5)

    assert town.asked == [3]
    assert town.spans == [(3, 4), (4, 5)]


async def test_it_says_which_position_it_has_heard_of() -> None:
    town = Town(wait=DEADLINE)

    assert town.sequencer.heard_of(ROOM) == 0
    town.sequencer.was_told_up_to(ROOM, 3)
    assert town.sequencer.heard_of(ROOM) == 3
    town.receive(4, 6)
    assert town.sequencer.heard_of(ROOM) == 6
    town.hear_head(8)
    assert town.sequencer.heard_of(ROOM) == 8
    assert town.sequencer.heard_of("room:unknown") == 0
    town.sequencer.stop()


async def test_a_loss_between_a_join_and_the_first_publication_is_fetched() -> None:
    town = Town()

    town.receive(12)
    town.sequencer.was_told_up_to(ROOM, 11)
    town.sequencer.was_told_up_to(ROOM, 12)
    assert town.asked == []
    town.sequencer.was_told_up_to(ROOM, 10)
    await town.until(lambda: len(town.delivered) == 2)
    town.receive(13)

    assert town.asked == [10]
    assert town.spans == [(11, 12), (10, 12), (12, 13)]


async def test_publications_during_a_read_follow_its_rows() -> None:
    town = Town()
    town.gate.clear()

    town.receive(10, 12)
    await town.until(lambda: bool(town.asked))
    town.head = 12
    town.sequencer.receive(said(11))
    town.sequencer.receive(said(13))
    before = town.spans
    town.gate.set()
    await town.until_delivered(13)

    assert before == [(9, 10)]
    assert town.spans == [(9, 10), (10, 12), (12, 13)]


async def test_a_head_that_is_heard_while_the_first_one_joins_counts_when_they_have_joined() -> None:
    town = Town()

    town.hear_head(4)
    town.sequencer.was_told_up_to(ROOM, 3)

    await town.until(lambda: town.spans == [(3, 4)])


async def test_a_head_that_the_first_one_was_told_of_is_not_asked_for() -> None:
    town = Town()

    town.hear_head(4)
    town.sequencer.was_told_up_to(ROOM, 4)
    town.receive(5)

    assert town.spans == [(4, 5)]
    assert town.asked == []


async def test_a_head_that_is_heard_while_the_store_is_read_counts_afterwards() -> None:
    town = Town()
    town.gate.clear()

    town.receive(1, 3)
    await town.until(lambda: bool(town.asked))
    town.sequencer.receive(Publication.head(ROOM, 5))
    town.gate.set()
    await town.until_delivered(3)
    town.head = 5
    await town.until_delivered(5)

    assert town.asked == [1, 3]


async def test_one_that_cannot_be_delivered_holds_up_nobody(caplog: pytest.LogCaptureFixture) -> None:
    town = Town()
    town.poisoned = {2, 6}

    town.receive(1, 2, 3, 5)
    await town.until_delivered(5)
    town.receive(6, 7)

    assert [position for _, position in town.spans] == [1, 3, 5, 7]
    assert caplog.text.count("could not be delivered") == 2


async def test_doubled_publications_are_dropped() -> None:
    town = Town()

    town.receive(1, 2)
    town.receive(1, 2, 3)
    await asyncio.sleep(0)

    assert town.asked == []
    assert town.spans == [(0, 1), (1, 2), (2, 3)]


async def test_a_late_publication_that_was_fetched_meanwhile_is_dropped() -> None:
    town = Town()

    town.receive(6, 8)
    await town.until_delivered(8)
    town.receive(7, 9)

    assert town.asked == [6]
    assert town.spans == [(5, 6), (6, 8), (8, 9)]


async def test_after_the_store_went_back_lower_positions_are_delivered() -> None:
    town = Town()
    town.sequencer.was_told_up_to(ROOM, 99)
    town.receive(100, 102)
    town.head = 95
    town.sequencer.start_over()

    town.sequencer.was_told_up_to(ROOM, 95)
    town.receive(96)
    await asyncio.sleep(0)

    assert town.asked == []
    assert town.spans == [(99, 100), (95, 96)]


async def test_a_fetch_that_fails_is_repeated(caplog: pytest.LogCaptureFixture) -> None:
    town = Town()
    town.failures = [RuntimeError("the database is away")] * 3

    town.receive(1, 3)
    await town.until_delivered(3)

    assert town.asked == [1, 1, 1, 1]
    assert caplog.text.count("the database is away") == 3


async def test_where_nothing_is_stored_what_came_is_delivered_with_its_gap() -> None:
    town = Town()
    town.stores = False

    town.receive(1, 4, 3)
    await town.until_delivered(4)
    town.receive(5)

    assert [position for _, position in town.spans] == [1, 3, 4, 5]


async def test_a_head_that_the_store_does_not_know_is_not_asked_for_for_ever() -> None:
    town = Town()

    town.receive(1)
    town.sequencer.receive(Publication.head(ROOM, 9))
    await town.until(lambda: bool(town.asked))
    for _ in range(10):
        await asyncio.sleep(0)

    assert town.asked == [1]


async def test_publications_without_a_position_are_delivered_at_once() -> None:
    town = Town(wait=DEADLINE)

    town.receive(1, 3)
    town.sequencer.receive(said(None, ephemeral=True))

    assert [position for _, position in town.spans] == [1, None]
    town.sequencer.stop()


async def test_a_channel_that_nobody_follows_leaves_nothing_behind() -> None:
    town = Town(follows=False)
    town.receive(1, 5)
    town.hear_head(9)
    town.sequencer.was_told_up_to(ROOM, 3)

    town.sequencer.follow(ROOM)
    town.receive(6, 9)
    town.sequencer.forget(ROOM)
    for _ in range(5):
        await asyncio.sleep(0)

    assert town.asked == []
    assert not town.sequencer._lines


async def test_a_flood_behind_a_gap_is_bounded_and_loses_nothing() -> None:
    town = Town()

    town.receive(1, *range(3, KEPT + 100))
    await town.until_delivered(KEPT + 99)

    assert town.spans == [(0, 1), (1, KEPT + 99)]


@pytest.mark.parametrize("seed", range(20))
async def test_a_broker_that_loses_doubles_and_shuffles_leaves_no_gap_and_nothing_double(seed: int) -> None:
    chance = random.Random(seed)
    town = Town()
    town.receive(1)

    for start in range(2, 200, 10):
        positions = [position for position in range(start, start + 10) for _ in range(chance.choice([0, 1, 1, 2]))]
        chance.shuffle(positions)
        for position in positions:
            town.receive(position)
            if chance.random() < 0.3:
                await asyncio.sleep(0)
    town.hear_head(202)
    await town.until_delivered(202)

    spans = town.spans
    assert spans[0] == (0, 1)
    assert [since for since, _ in spans[1:]] == [until for _, until in spans[:-1]]
    assert spans[-1][1] == 202
