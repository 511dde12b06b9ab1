"""A connection is cut after each byte in turn: after reconnecting, the view is the same as one that was never cut."""

from collections.abc import Callable
from itertools import count

import pytest

from hubbub.client import Client, Room
from tests.chaos.conftest import UNLIMITED
from tests.client.proxy import Proxy
from tests.conftest import ServerFactory
from tests.people import address

STEP = 73
"""Bytes from one cut to the next. A prime number, so that cuts fall on every part of a frame."""


def cut_later_each_time(step: int) -> Callable[[], int]:
    cuts = count(1, step)
    return lambda: next(cuts)


@pytest.mark.slow(3)
@pytest.mark.parametrize("codec", ["json", "msgpack"])
async def test_a_client_that_is_cut_at_any_byte_has_the_same_view_as_one_that_never_was(
    serve: ServerFactory, codec: str
) -> None:
    server = serve(environment=UNLIMITED)
    async with (
        Client(address(server), username="bob") as bob,
        Proxy(server.port, cut_later_each_time(STEP)) as proxy,
        Client(proxy.address, username="alice", codec=codec, first_wait=0.001, longest_wait=0.005) as alice,  # type: ignore[arg-type]
    ):
        bobs_hall, hall = await bob.join("hall"), await alice.join("hall")
        acks = await talk(bobs_hall, hall)
        last = (await bobs_hall.send("good night")).rev or 0
        for somebody, room in ((alice, hall), (bob, bobs_hall)):
            while (room.view.rev or 0) < last:
                await anext(somebody)

        assert acks == list(range(1, 2 * TURNS + 1))
        assert hall.messages == bobs_hall.messages
        assert [message.seq for message in hall.messages] == list(range(1, 2 * TURNS + 2))
        print(f"{proxy.cuts} cuts, at every {STEP}th byte of {STEP * proxy.cuts}")


TURNS = 40


async def talk(bobs_hall: Room, hall: Room) -> list[int]:
    """Both send in turn, and change their messages. Returns the seqs from the acks."""
    seqs = []
    for turn in range(TURNS):
        mine = await hall.send(f"alice {turn}")
        theirs = await bobs_hall.send(f"bob {turn}", reply_to=mine.seq)
        assert mine.seq is not None
        assert theirs.seq is not None
        await bobs_hall.react(mine.seq, "👍")
        await hall.edit(mine.seq, f"alice, {turn}")
        if turn % 4 == 0:
            await bobs_hall.delete(theirs.seq)
        seqs += [mine.seq, theirs.seq]
    return seqs
