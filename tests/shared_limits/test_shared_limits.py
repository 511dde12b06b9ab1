"""One suite for all limits: those of a single node, on one Redis, and on three that share the names out."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from hubbub.limits import Allowance
from hubbub.shared_limits.base import SharedLimits
from hubbub.shared_limits.local import LocalLimits
from tests.servers import Redis
from tests.shared_limits.nodes import redis_limits

NAMES = [f"address 192.0.2.{number}" for number in range(12)]
HOME = NAMES[0]

Make = Callable[[Allowance], Any]


@pytest.fixture(params=["local", "redis", "three redis"])
async def make(request: pytest.FixtureRequest) -> AsyncIterator[Make]:
    made: list[SharedLimits] = []
    servers: list[Redis] = []
    if request.param != "local":
        servers = (
            [request.getfixturevalue("redis")] if request.param == "redis" else request.getfixturevalue("three_redis")
        )

    async def make(allowance: Allowance) -> SharedLimits:
        limits = redis_limits(servers, allowance) if servers else LocalLimits(allowance)
        made.append(limits)
        await limits.start()
        return limits

    yield make
    for limits in made:
        await limits.stop()


@pytest.fixture
async def limits(make: Make) -> SharedLimits:
    made: SharedLimits = await make(Allowance(rate=0.01, burst=2))
    return made


async def test_no_more_enter_than_may(limits: SharedLimits) -> None:
    assert [await limits.enter(HOME, 2) for _ in range(4)] == [True, True, False, False]


async def test_of_many_at_once_as_many_enter_as_may(limits: SharedLimits) -> None:
    entered = await asyncio.gather(*(limits.enter(HOME, 5) for _ in range(20)))

    assert sum(entered) == 5


async def test_who_leaves_makes_room(limits: SharedLimits) -> None:
    assert [await limits.enter(HOME, 2) for _ in range(2)] == [True, True]
    limits.leave(HOME)

    assert [await limits.enter(HOME, 2) for _ in range(2)] == [True, False]


async def test_names_have_nothing_to_do_with_each_other(limits: SharedLimits) -> None:
    assert [await limits.enter(name, 1) for name in NAMES] == [True] * len(NAMES)
    assert [await limits.take(name, 2.5) for name in NAMES] == [0.0] * len(NAMES)
    assert [await limits.enter(name, 1) for name in NAMES] == [False] * len(NAMES)


async def test_a_burst_may_be_taken_at_once_and_a_refusal_takes_nothing(limits: SharedLimits) -> None:
    waits = [await limits.take(HOME) for _ in range(9)]

    assert waits[:3] == [0.0] * 3
    assert all(90 <= wait <= 100 for wait in waits[3:])


async def test_of_many_at_once_no_more_take_than_may(limits: SharedLimits) -> None:
    waits = await asyncio.gather(*(limits.take(HOME) for _ in range(20)))

    assert waits.count(0.0) == 3


async def test_a_large_request_counts_as_many(limits: SharedLimits) -> None:
    assert await limits.take(HOME, 12.0) == 0.0
    assert 980 <= await limits.take(HOME) <= 1000


async def test_what_it_cost_in_the_end_is_charged(limits: SharedLimits) -> None:
    assert await limits.take(HOME) == 0.0
    limits.charge(HOME, 3)

    assert 180 <= await limits.take(HOME) <= 200


async def test_a_name_may_have_a_rate_of_its_own(limits: SharedLimits) -> None:
    slow = Allowance(rate=1 / 3600, burst=1)

    waits = [await limits.take("log-in of alice", 1.0, slow) for _ in range(3)]

    assert waits[:2] == [0.0, 0.0]
    assert 3590 <= waits[2] <= 3600


async def test_what_is_given_back_may_be_taken_again(limits: SharedLimits) -> None:
    slow = Allowance(rate=1 / 3600, burst=0)
    assert await limits.take(HOME, 1.0, slow) == 0.0
    limits.charge(HOME, -1.0, slow)
    # It gives back no more than was owed.
    limits.charge(HOME, -1.0, slow)

    assert await limits.take(HOME, 1.0, slow) == 0.0
    assert await limits.take(HOME, 1.0, slow) > 3590
