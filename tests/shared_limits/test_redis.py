"""What two nodes know of each other's counts through Redis, and what each does while Redis is away."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator

import pytest

from hubbub.limits import Allowance
from hubbub.shared_limits.base import DEADLINE
from hubbub.shared_limits.redis import LEASE, RedisLimits
from tests.fault_proxy import FaultProxy
from tests.patient import PATIENCE, Patience
from tests.servers import Redis
from tests.shared_limits.nodes import redis_limits, redis_limits_at
from tests.waiting import eventually

HOME = "address 192.0.2.1"
NAMES = [f"address 192.0.2.{number}" for number in range(12)]
SLOW = Allowance(rate=0.01, burst=2)


@pytest.fixture
def proxy(own_redis: Redis) -> Iterator[FaultProxy]:
    with FaultProxy(own_redis.port) as proxy:
        yield proxy


@pytest.fixture
async def here(own_redis: Redis, proxy: FaultProxy) -> AsyncIterator[RedisLimits]:
    """A node whose way to Redis has faults."""
    limits = redis_limits_at(f"redis://127.0.0.1:{proxy.port}", SLOW)
    await limits.start()
    yield limits
    proxy.thaw()
    proxy.swallow(on=False)
    await limits.stop()


@pytest.fixture
async def there(own_redis: Redis) -> AsyncIterator[RedisLimits]:
    limits = redis_limits([own_redis], SLOW)
    await limits.start()
    yield limits
    await limits.stop()


def counted(redis: Redis, name: str = HOME) -> int:
    """How many all nodes that live have, as Redis knows it."""
    counts: dict[bytes, bytes] = redis.ask("HGETALL", f"hubbub:limits:of:{name}")
    return sum(
        int(count) for node, count in counts.items() if redis.ask("EXISTS", f"hubbub:limits:node:{node.decode()}")
    )


def leases(redis: Redis) -> list[int]:
    """What is left of the nodes' leases, in milliseconds."""
    return [redis.ask("PTTL", lease) for lease in redis.ask("KEYS", "hubbub:limits:node:*")]


async def test_nodes_count_together(here: RedisLimits, there: RedisLimits, own_redis: Redis) -> None:
    assert await here.enter(HOME, 3)
    assert await there.enter(HOME, 3)
    assert await here.enter(HOME, 3)
    assert not await there.enter(HOME, 3)
    assert not await here.enter(HOME, 3)

    here.leave(HOME)
    await eventually(lambda: counted(own_redis) == 2)
    assert await there.enter(HOME, 3)


async def test_of_many_who_come_to_both_nodes_at_once_as_many_enter_as_may(
    here: RedisLimits, there: RedisLimits
) -> None:
    for name in NAMES:
        entered = await asyncio.gather(*(node.enter(name, 7) for _ in range(10) for node in (here, there)))
        assert sum(entered) == 7


async def test_nodes_on_three_servers_count_together(three_redis: list[Redis]) -> None:
    one, two = redis_limits(three_redis, SLOW), redis_limits(three_redis, SLOW)
    await one.start()
    await two.start()
    try:
        assert all([await one.enter(name, 1) for name in NAMES])
        assert not any([await two.enter(name, 1) for name in NAMES])
        assert all(server.ask("KEYS", "hubbub:limits:of:*") for server in three_redis)
    finally:
        await one.stop()
        await two.stop()


async def test_nodes_take_of_one_rate(here: RedisLimits, there: RedisLimits) -> None:
    waits = [await node.take(HOME) for _ in range(3) for node in (here, there)]

    assert waits[:3] == [0.0] * 3
    assert all(90 <= wait <= 100 for wait in waits[3:])


async def test_what_is_charged_on_one_node_is_owed_on_the_other(here: RedisLimits, there: RedisLimits) -> None:
    here.charge(HOME, 3)
    # An answer comes after that of the charge.
    assert await here.take("another") == 0.0

    assert 90 <= await there.take(HOME) <= 100


async def test_a_refused_one_costs_the_node_nothing_of_its_own_rate(
    here: RedisLimits, there: RedisLimits, proxy: FaultProxy
) -> None:
    there.charge(HOME, 100)
    assert await there.take("another") == 0.0
    for _ in range(5):
        assert await here.take(HOME) > 0
    proxy.refuse()
    proxy.cut()
    await eventually(lambda: not here._servers.of("")._link.is_up)

    # Now it is alone.
    assert await here.take(HOME) == 0.0


async def test_namespaces_have_nothing_to_do_with_each_other(own_redis: Redis, there: RedisLimits) -> None:
    other = redis_limits_at(own_redis.url, SLOW, namespace="other")
    await other.start()
    try:
        assert await there.enter(HOME, 1)
        assert await other.enter(HOME, 1)
        assert await there.take(HOME, 100) == 0.0
        assert await other.take(HOME, 100) == 0.0
    finally:
        await other.stop()


async def test_a_node_that_stops_leaves_nothing_that_counts(there: RedisLimits, own_redis: Redis) -> None:
    stopped = redis_limits([own_redis], SLOW)
    await stopped.start()
    assert await stopped.enter(HOME, 1)
    assert not await there.enter(HOME, 1)
    await stopped.stop()

    assert await there.enter(HOME, 1)


async def test_keys_in_redis_expire(here: RedisLimits, own_redis: Redis) -> None:
    await here.enter(HOME, 1)
    await here.take(HOME)

    keys = [key.decode() for key in own_redis.ask("KEYS", "*")]
    assert sorted(key.split(":")[2] for key in keys) == ["node", "of", "rate"]
    assert all(own_redis.ask("PTTL", key) > 0 for key in keys)
    here.leave(HOME)
    await eventually(lambda: not own_redis.ask("KEYS", "*:of:*"))


@pytest.mark.parametrize("fault", ["cut", "freeze", "swallow requests", "swallow answers"])
async def test_while_redis_cannot_be_reached_a_node_has_its_own_limits_at_once(
    here: RedisLimits, there: RedisLimits, proxy: FaultProxy, own_redis: Redis, patience: Patience, fault: str
) -> None:
    assert await here.enter(HOME, 3)
    assert await there.enter(HOME, 3)
    match fault:
        case "cut":
            proxy.refuse()
            proxy.cut()
        case "freeze":
            proxy.freeze()
        case "swallow requests":
            proxy.swallow_requests()
        case _:
            proxy.swallow_answers()

    with patience.suspended():
        began = asyncio.get_running_loop().time()
        assert [await here.enter(HOME, 3) for _ in range(3)] == [True, True, False]
        assert [await here.take(HOME) > 0 for _ in range(5)] == [False, False, False, True, True]
        assert asyncio.get_running_loop().time() - began < PATIENCE / 2
    assert await there.enter("address 192.0.2.99", 1)

    proxy.refuse(on=False)
    proxy.swallow(on=False)
    proxy.thaw()
    # The node would notice much later that something was swallowed.
    proxy.cut()
    # Three here, one there: now both know that these are too many.
    await eventually(lambda: counted(own_redis) == 4)
    here.leave(HOME)
    await eventually(lambda: counted(own_redis) == 3)
    assert not await there.enter(HOME, 3)
    here.leave(HOME)
    await eventually(lambda: counted(own_redis) == 2)
    assert await there.enter(HOME, 3)


async def test_while_redis_hangs_only_those_wait_who_come_first(
    here: RedisLimits, proxy: FaultProxy, patience: Patience
) -> None:
    loop = asyncio.get_running_loop()
    proxy.freeze()
    with patience.suspended():
        await asyncio.gather(*(here.enter(name, 1) for name in NAMES))

        began = loop.time()
        assert [await here.enter(HOME, 1000) for _ in range(500)] == [True] * 500
        assert loop.time() - began < 500 * DEADLINE / 2


async def test_a_redis_that_answers_late_is_not_waited_for_until_it_is_quick_again(
    here: RedisLimits, there: RedisLimits, proxy: FaultProxy, own_redis: Redis, patience: Patience
) -> None:
    server = here._servers.of("")
    with patience.suspended():
        proxy.delay = DEADLINE + 0.05
        assert await here.enter(HOME, 2)
        assert not server._is_prompt
        await eventually(lambda: counted(own_redis) == 1)
        assert not server._is_prompt

    proxy.delay = 0.0
    await eventually(lambda: server._is_prompt)
    assert await there.enter(HOME, 2)
    assert not await here.enter(HOME, 2)


@pytest.mark.parametrize("happens", ["emptied", "restarted", "scripts are gone"])
async def test_nodes_tell_redis_their_counts_again_after_it_lost_them(
    here: RedisLimits, there: RedisLimits, own_redis: Redis, happens: str
) -> None:
    assert await here.enter(HOME, 3)
    assert await there.enter(HOME, 3)

    match happens:
        case "emptied":
            own_redis.empty()
        case "restarted":
            own_redis.kill()
            own_redis.start()
        case _:
            own_redis.ask("SCRIPT", "FLUSH")
            assert await here.enter(HOME, 4)
            here.leave(HOME)
    await eventually(lambda: counted(own_redis) == 2)

    await eventually(lambda: here._servers.of("")._link.is_up and here._servers.of("")._has_scripts)
    assert await here.enter(HOME, 3)
    assert not await there.enter(HOME, 3)


async def test_a_node_whose_lease_was_taken_away_gets_another_one_at_the_next_connection(
    here: RedisLimits, there: RedisLimits, own_redis: Redis
) -> None:
    assert await here.enter(HOME, 3)
    for lease in own_redis.ask("KEYS", "hubbub:limits:node:*"):
        own_redis.ask("DEL", lease)
    # This makes those who are dead disappear.
    assert await there.enter(HOME, 1)
    assert await here.enter(HOME, 3)

    await eventually(lambda: counted(own_redis) == 3)
    assert not await here.enter(HOME, 3)


@pytest.mark.slow(2 * LEASE)
async def test_the_counts_of_a_dead_node_end_with_its_lease(
    here: RedisLimits, there: RedisLimits, own_redis: Redis, proxy: FaultProxy, patience: Patience
) -> None:
    assert await here.enter(HOME, 1)
    assert not await there.enter(HOME, 1)
    with patience.suspended():
        await eventually(lambda: all(lease < 1000 * LEASE for lease in leases(own_redis)))
    proxy.freeze()

    async def may_enter() -> bool:
        if not await there.enter(HOME, 1):
            return False
        there.leave(HOME)
        return True

    async def may_not_enter() -> bool:
        return not await may_enter()

    await eventually(may_enter, deadline=LEASE + 10)
    proxy.thaw()
    await eventually(may_not_enter)


async def test_without_memory_in_redis_each_node_has_its_own_limits_and_says_so_once(
    here: RedisLimits, there: RedisLimits, own_redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    own_redis.ask("CONFIG", "SET", "maxmemory", "1")
    assert [await here.enter(HOME, 2) for _ in range(3)] == [True, True, False]
    assert [await there.enter(HOME, 2) for _ in range(3)] == [True, True, False]
    assert len([line for line in caplog.messages if "refuses limits" in line]) == 2

    own_redis.ask("CONFIG", "SET", "maxmemory", "0")
    await eventually(lambda: counted(own_redis) == 4)


async def test_a_frozen_redis_that_goes_on_knows_all_again(
    here: RedisLimits, there: RedisLimits, own_redis: Redis, patience: Patience
) -> None:
    assert await here.enter(HOME, 3)
    own_redis.signal(signal.SIGSTOP)
    try:
        with patience.suspended():
            assert await there.enter(HOME, 3)
            assert await there.enter(HOME, 3)
    finally:
        own_redis.signal(signal.SIGCONT)

    await eventually(lambda: counted(own_redis) == 3)
    assert not await here.enter(HOME, 3)
