"""Work that waits for its turn, on an event loop that the test turns by hand."""

import asyncio
from collections.abc import Callable

import pytest

from hubbub.delivery.turns import BYTES, SECONDS, Turns
from tests.delivery.links import turn


class Loop:
    """Records what is to be called in the next turn. Its clock is moved by pieces of work."""

    def __init__(self) -> None:
        self.now = 0.0
        self.soon: list[Callable[[], None]] = []
        self.turns = Turns(self.soon.append, lambda: self.now)

    def turn(self) -> None:
        soon, self.soon[:] = list(self.soon), []
        for call in soon:
            call()


class Client:
    """A client with so many pieces of work. Each takes half of the time that a turn has for all."""

    def __init__(self, loop: Loop, name: str, pieces: int, done: list[str]) -> None:
        self._loop, self._name, self._left, self._done = loop, name, pieces, done

    def work(self) -> None:
        self._done.append(self._name)
        self._loop.now += SECONDS / 2
        self._left -= 1
        if self._left:
            self._loop.turns.add(self.work)


def test_clients_take_turns_and_one_turn_of_the_loop_does_only_so_much() -> None:
    loop, done = Loop(), list[str]()
    for name in ("mallory", "trudy", "alice"):
        loop.turns.add(Client(loop, name, 3, done).work)

    in_each_turn = []
    while loop.soon:
        before = len(done)
        loop.turn()
        in_each_turn.append(done[before:])

    assert in_each_turn == [
        ["mallory", "trudy"],
        ["alice", "mallory"],
        ["trudy", "alice"],
        ["mallory", "trudy"],
        ["alice"],
    ]


def test_a_piece_that_waits_already_keeps_its_place() -> None:
    loop, done = Loop(), list[str]()
    mallory, alice = Client(loop, "mallory", 1, done), Client(loop, "alice", 1, done)

    for client in (mallory, alice, mallory):
        loop.turns.add(client.work)
    loop.turn()

    assert done == ["mallory", "alice"]
    assert not loop.turns


def test_a_piece_that_fails_does_not_keep_the_others_from_their_turn() -> None:
    loop, done = Loop(), list[str]()

    def fail() -> None:
        raise ZeroDivisionError

    loop.turns.add(fail)
    loop.turns.add(Client(loop, "alice", 1, done).work)
    with pytest.raises(ZeroDivisionError):
        loop.turn()
    loop.turn()

    assert done == ["alice"]


async def test_large_pages_are_made_one_in_each_turn_of_the_loop() -> None:
    loop, done = Loop(), list[int]()

    async def make(number: int, size: int) -> None:
        await loop.turns.wait(size)
        done.append(number)

    asked = [asyncio.ensure_future(make(number, 4 * BYTES)) for number in range(3)]
    await turn()
    assert done == [0]
    loop.turn()
    await turn()
    assert done == [0, 1]
    loop.turn()
    await turn()
    assert done == [0, 1, 2]
    await asyncio.gather(*asked)


async def test_small_pages_wait_too_once_there_are_many() -> None:
    loop, done = Loop(), list[None]()

    async def make_many() -> None:
        for _ in range(100):
            await loop.turns.wait(0)
            done.append(None)

    making = asyncio.ensure_future(make_many())
    await turn(3)
    assert 10 <= len(done) <= 20
    while not making.done():
        loop.turn()
        await turn(20)
    assert len(done) == 100


async def test_a_cancelled_caller_takes_no_turn() -> None:
    loop = Loop()
    await loop.turns.wait(BYTES)
    gone = asyncio.ensure_future(loop.turns.wait(BYTES))
    waiting = asyncio.ensure_future(loop.turns.wait(BYTES))
    await turn()

    gone.cancel()
    await turn()
    loop.turn()
    await turn()

    assert waiting.done()
    assert not loop.turns
