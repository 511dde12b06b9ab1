"""Continuing after a congestion, in channels of any kind."""

import asyncio
import logging

import pytest

from hubbub.delivery.connection import Connection
from hubbub.delivery.fanout import Fanout
from hubbub.delivery.hold import Hold
from hubbub.dispatch.recovering import Recover, Recovering
from hubbub.errors import Unavailable
from tests.delivery.links import Person, congest, new_fanout, say, turn

CHANNEL = "board:1"


async def who_missed_something(fanout: Fanout, kinds: dict[str, Recover | None]) -> Person:
    """A connection whose buffer was full, and has just emptied."""
    slow = Person(fanout, "slow")
    recovering = Recovering(fanout, kinds)
    slow.listener.relieved = lambda missed: recovering.bring_missed(slow.connection, missed)  # type: ignore[method-assign]
    await congest(fanout, slow, CHANNEL)
    slow.transport.writes.clear()
    slow.transport.empty()
    return slow


async def test_each_kind_of_channel_brings_what_was_missed_in_its_own_way() -> None:
    asked: list[tuple[str, int | None]] = []
    done = asyncio.Event()

    async def recover(connection: Connection, channel: str, position: int | None, hold: Hold) -> None:
        asked.append((channel, position))
        hold.read_up_to(2)
        done.set()

    fanout = new_fanout()
    slow = await who_missed_something(fanout, {"room:": None, "board:": recover})
    await asyncio.wait_for(done.wait(), 5)
    say(fanout, CHANNEL, "live", position=3)
    await turn()

    assert asked == [(CHANNEL, 1)]
    assert slow.texts == ["live"]


async def test_where_what_was_missed_is_gone_the_connection_goes_on() -> None:
    fanout = new_fanout()
    slow = await who_missed_something(fanout, {"board:": None})
    await turn()
    say(fanout, CHANNEL, "live", position=3)
    await turn()

    assert slow.texts == ["live"]


async def test_a_kind_that_nobody_knows_is_an_error_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "hubbub"):
        slow = await who_missed_something(new_fanout(), {"room:": None})
        await turn()

    assert "'board:1'" in caplog.text
    assert slow.connection.is_open


async def test_a_connection_whose_gap_cannot_be_read_is_closed() -> None:
    async def fail(connection: Connection, channel: str, position: int | None, hold: Hold) -> None:
        raise Unavailable("the disk cannot be read")

    slow = await who_missed_something(new_fanout(), {"board:": fail})
    await turn()

    assert slow.connection.close_code == 1013
