"""Limits of so many an hour."""

from __future__ import annotations

import pytest

from hubbub.errors import RateLimited
from hubbub.limits import Allowance
from hubbub.shared_limits.hourly import Hourly
from hubbub.shared_limits.local import LocalLimits

THREE = Hourly("rooms of alice", 3)
REFUSAL = "too many new rooms"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limits(clock: Clock) -> LocalLimits:
    return LocalLimits(Allowance(rate=1, burst=1), clock=clock)


async def take(limits: LocalLimits, limit: Hourly, times: int) -> None:
    for _ in range(times):
        await limit.take(limits, REFUSAL)


async def test_so_many_may_come_at_once_and_one_more_after_its_part_of_an_hour(
    limits: LocalLimits, clock: Clock
) -> None:
    await take(limits, THREE, 3)
    with pytest.raises(RateLimited, match=REFUSAL) as refused:
        await THREE.take(limits, REFUSAL, room="lobby")
    assert refused.value.retry_after == 1200 * 1000
    assert refused.value.room == "lobby"
    clock.now += 1200
    await take(limits, THREE, 1)
    with pytest.raises(RateLimited):
        await take(limits, THREE, 1)


async def test_what_is_given_back_does_not_count(limits: LocalLimits) -> None:
    await take(limits, THREE, 3)
    THREE.give_back(limits)
    await take(limits, THREE, 1)
    with pytest.raises(RateLimited):
        await take(limits, THREE, 1)


async def test_another_number_begins_another_count(limits: LocalLimits) -> None:
    await take(limits, THREE, 3)
    await take(limits, Hourly(THREE.name, 5), 5)
