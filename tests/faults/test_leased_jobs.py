"""A leased job is done by one node at each moment: real processes that stop, die, freeze and come back."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.conftest import UvicornFactory
from tests.servers import WebServer
from tests.waiting import eventually

pytestmark = pytest.mark.slow(4)

MUCH_LONGER = 30.0
StartNode = Callable[..., WebServer]


@pytest.fixture
def start_node(postgres: str, uvicorn: UvicornFactory) -> StartNode:
    def start(name: str, **environment: str) -> WebServer:
        common = {"NODE": name, "HUBBUB_DATABASE_URL": postgres}
        return uvicorn("tests.faults.leased_app:app", environment=common | environment)

    return start


class Turns:
    """What the nodes have written down, in order."""

    def __init__(self, database: psycopg.Connection[Any]) -> None:
        self._database = database

    def all(self) -> list[tuple[str, int]]:
        return [(row[0], row[1]) for row in self._database.execute("SELECT node, number FROM turns ORDER BY turn")]

    async def go_on(self, node: str) -> None:
        """Returns when this node has taken turns from now on."""
        before = len(self.all())
        await eventually(lambda: node in [name for name, _ in self.all()[before:]], deadline=MUCH_LONGER)

    def check(self) -> None:
        """Each owner's turns stand together, under a number of its own."""
        taken = self.all()
        owners = list(dict.fromkeys(taken))
        assert taken == [turn for owner in owners for turn in taken if turn == owner]
        assert [number for _, number in owners] == list(range(1, len(owners) + 1))


@pytest.fixture
def turns(postgres: str, start_node: StartNode) -> Iterator[Turns]:
    with psycopg.connect(postgres, autocommit=True) as database:
        yield Turns(database)


async def test_another_node_takes_over_at_once_from_one_that_stops(start_node: StartNode, turns: Turns) -> None:
    one = start_node("one")
    await turns.go_on("one")
    start_node("two")

    await asyncio.to_thread(one.stop)
    await turns.go_on("two")

    turns.check()


async def test_another_node_takes_over_from_one_that_is_killed(start_node: StartNode, turns: Turns) -> None:
    one = start_node("one")
    await turns.go_on("one")
    start_node("two")

    one.kill()
    await turns.go_on("two")

    turns.check()


async def test_a_frozen_node_that_comes_back_does_nothing_beside_the_new_one(
    start_node: StartNode, turns: Turns
) -> None:
    one = start_node("one")
    await turns.go_on("one")
    start_node("two")

    for _ in range(2):
        one.signal(signal.SIGSTOP)
        await turns.go_on("two")
        one.signal(signal.SIGCONT)
        await turns.go_on("two")

    turns.check()
    assert len({number for node, number in turns.all() if node == "one"}) == 1


async def test_clocks_that_differ_by_a_minute_change_nothing(
    start_node: StartNode, turns: Turns, faketime: Path
) -> None:
    def start(name: str, clock: str) -> WebServer:
        return start_node(name, LD_PRELOAD=str(faketime), FAKETIME=clock, FAKETIME_DONT_FAKE_MONOTONIC="1")

    one = start("behind", "-30s")
    await turns.go_on("behind")
    start("ahead", "+30s")
    for _ in range(10):
        await turns.go_on("behind")
    assert "ahead" not in dict(turns.all())

    one.kill()
    await turns.go_on("ahead")
    start("behind again", "-30s")
    for _ in range(10):
        await turns.go_on("ahead")

    turns.check()
    assert list(dict(turns.all())) == ["behind", "ahead"]
