"""What a broker does while Redis, or the line to it, fails. Nothing is lost in silence: what may be lost is missed."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest

from hubbub.broker.redis import RedisBroker
from hubbub.broker.redis_address import parse_addresses
from tests.broker.inbox import DEADLINE, ROOM, Inbox, said
from tests.fault_proxy import FaultProxy
from tests.patient import PATIENCE
from tests.servers import Redis

TIMEOUT = 1.0
"""For nodes that notice soon that nobody answers. All others are patient."""
CLUSTER = "ours"


class Node:
    """A broker and what it has delivered."""

    def __init__(self, broker: RedisBroker) -> None:
        self.broker = broker
        self.inbox = Inbox()

    async def start(self, cluster: str = CLUSTER) -> None:
        await self.broker.start(self.inbox.deliver, self.inbox.missed, cluster=cluster)

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not is_so():  # noqa: ASYNC110 - nobody says when a broker's own view of itself changes
                await asyncio.sleep(0.01)

    async def away(self) -> str:
        await self.until(lambda: self.broker.problem is not None)
        return self.broker.problem or ""

    async def back(self) -> None:
        await self.until(lambda: self.broker.problem is None)

    async def hears(self, other: "Node") -> None:
        """Returns when what another one says arrives here."""
        async with asyncio.timeout(DEADLINE):
            number = 0
            while not any(text.startswith("probe") for text in self.inbox.texts):
                other.broker.publish(said(f"probe {number}", ephemeral=True))
                number += 1
                await asyncio.sleep(0.02)


class NodeMaker(Protocol):
    async def __call__(self, *ports: int, **options: Any) -> Node: ...


@pytest.fixture
async def make_node() -> AsyncIterator[NodeMaker]:
    async with AsyncExitStack() as stack:

        async def make(*ports: int, **options: Any) -> Node:
            addresses = parse_addresses(",".join(f"redis://127.0.0.1:{port}" for port in ports))
            node = Node(RedisBroker(addresses, **{"timeout": PATIENCE, **options}))
            stack.push_async_callback(node.broker.stop)
            await node.start()
            return node

        yield make


@pytest.fixture
def proxy(redis: Redis) -> Iterator[FaultProxy]:
    with FaultProxy(redis.port) as proxy:
        yield proxy


@pytest.fixture
def own_redis(tmp_path: Path, redis: Redis) -> Iterator[Redis]:
    """A redis-server of this test's own, that it may end."""
    with Redis(tmp_path) as server:
        yield server


async def test_after_a_cut_all_its_channels_are_missed_and_then_heard(
    redis: Redis, proxy: FaultProxy, make_node: NodeMaker
) -> None:
    alice, bob = await make_node(redis.port), await make_node(proxy.port)
    for channel in (ROOM, "room:other"):
        await bob.broker.subscribe(channel)

    proxy.cut()

    await bob.inbox.wait_for(lambda: {ROOM, "room:other"} <= set(bob.inbox.missing))
    await bob.hears(alice)


async def test_a_publication_is_on_its_way_to_redis_before_it_is_delivered_here(
    redis: Redis, make_node: NodeMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = await make_node(redis.port)
    await alice.broker.subscribe(ROOM)
    link = alice.broker._servers.of("")._link
    waiting: list[int] = []
    monkeypatch.setattr(alice.broker._servers.of(""), "_deliver", lambda _: waiting.append(link.backlog))

    alice.broker.publish(said("Hello Bob!"))

    assert waiting > [0]


async def test_a_channel_is_missed_when_the_line_is_lost_and_when_it_is_subscribed_again(
    proxy: FaultProxy, make_node: NodeMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubbub.broker.redis.TICK", 600.0)
    bob = await make_node(proxy.port)
    await bob.broker.subscribe(ROOM)

    proxy.cut()

    await bob.inbox.wait_for(lambda: bob.inbox.missing == [ROOM, ROOM])


async def test_while_redis_is_away_its_channels_are_missed_again_and_again(
    proxy: FaultProxy, make_node: NodeMaker
) -> None:
    bob = await make_node(proxy.port)
    await bob.broker.subscribe(ROOM)

    proxy.refuse()
    proxy.cut()

    await bob.inbox.wait_for(lambda: bob.inbox.missing.count(ROOM) >= 3)


async def test_the_others_hear_how_far_a_channel_is_that_could_not_be_published_to(
    redis: Redis, proxy: FaultProxy, make_node: NodeMaker
) -> None:
    alice, bob = await make_node(proxy.port), await make_node(redis.port)
    await alice.broker.subscribe(ROOM)
    await bob.broker.subscribe(ROOM)
    proxy.refuse()
    proxy.cut()
    await alice.away()

    for position in range(1, 6):
        alice.broker.publish(said(f"unheard {position}", position=position))
    proxy.refuse(on=False)

    await bob.inbox.wait_for(lambda: bob.inbox.heads == [5])
    assert alice.inbox.texts == [f"unheard {position}" for position in range(1, 6)]


async def test_what_was_on_its_way_when_the_line_was_cut_is_told_of_as_a_position(
    redis: Redis, proxy: FaultProxy, make_node: NodeMaker
) -> None:
    alice, bob = await make_node(proxy.port, timeout=TIMEOUT), await make_node(redis.port)
    await bob.broker.subscribe(ROOM)

    proxy.swallow_requests()
    alice.broker.publish(said("swallowed", position=7))
    assert "does not answer" in await alice.away()
    proxy.swallow(on=False)

    await bob.inbox.wait_for(lambda: bob.inbox.heads == [7])


@pytest.mark.parametrize("fault", ["freeze", "swallow", "swallow_requests", "swallow_answers"])
async def test_a_line_that_only_goes_silent_is_noticed_and_made_again(
    redis: Redis, proxy: FaultProxy, make_node: NodeMaker, fault: str
) -> None:
    alice, bob = await make_node(redis.port), await make_node(proxy.port, timeout=TIMEOUT)
    await bob.broker.subscribe(ROOM)

    getattr(proxy, fault)()

    assert "does not answer within 1 s" in await bob.away()
    await bob.inbox.wait_for(lambda: ROOM in bob.inbox.missing)
    proxy.thaw()
    proxy.swallow(on=False)
    await bob.hears(alice)


async def test_a_slow_line_is_no_broken_one(redis: Redis, proxy: FaultProxy, make_node: NodeMaker) -> None:
    alice, bob = await make_node(redis.port), await make_node(proxy.port)
    proxy.delay = 0.1

    await bob.broker.subscribe(ROOM)
    for number in range(3):
        alice.broker.publish(said(str(number)))

    assert await bob.inbox.until("2") == ["0", "1", "2"]
    assert bob.inbox.missing == []


async def test_a_frozen_redis_is_noticed_and_comes_back(own_redis: Redis, make_node: NodeMaker) -> None:
    alice, bob = [await make_node(own_redis.port, timeout=TIMEOUT) for _ in range(2)]
    await bob.broker.subscribe(ROOM)

    own_redis.signal(signal.SIGSTOP)
    try:
        await alice.away()
        await bob.away()
    finally:
        own_redis.signal(signal.SIGCONT)

    await bob.inbox.wait_for(lambda: ROOM in bob.inbox.missing)
    await bob.hears(alice)


async def test_a_paused_redis_is_noticed_and_comes_back(own_redis: Redis, make_node: NodeMaker) -> None:
    alice, bob = [await make_node(own_redis.port, timeout=TIMEOUT) for _ in range(2)]
    await bob.broker.subscribe(ROOM)

    noticed = asyncio.create_task(bob.inbox.wait_for(lambda: ROOM in bob.inbox.missing))
    while not noticed.done():
        # It is asked for the next pause when the last one is over: a busy node may notice nothing in the first one.
        await asyncio.to_thread(own_redis.ask, "CLIENT", "PAUSE", 3000, "ALL")
        await asyncio.wait({noticed}, timeout=4)

    await noticed
    await bob.hears(alice)


async def test_a_redis_that_died_is_waited_for_and_used_when_it_is_back_empty(
    own_redis: Redis, make_node: NodeMaker
) -> None:
    alice, bob = await make_node(own_redis.port), await make_node(own_redis.port)
    await bob.broker.subscribe(ROOM)

    own_redis.kill()
    assert await bob.away() == f"redis://127.0.0.1:{own_redis.port}/0: it closed the connection"
    own_redis.start()

    await bob.hears(alice)
    assert own_redis.ask("GET", "hubbub:cluster") == f"{CLUSTER} 1/1".encode()


async def test_thousands_of_channels_are_subscribed_to_again_and_told_of(
    own_redis: Redis, make_node: NodeMaker
) -> None:
    alice, bob = await make_node(own_redis.port), await make_node(own_redis.port)
    channels = [f"room:{number}" for number in range(3000)]
    await asyncio.gather(*map(bob.broker.subscribe, channels))
    own_redis.kill()
    await alice.away()
    await bob.away()
    for channel in channels:
        alice.broker.publish(said("while it was away", channel=channel, position=1))
    own_redis.start()
    await alice.back()
    await bob.back()

    for channel in channels:
        await bob.broker.subscribe(channel)
        alice.broker.publish(said(f"after {channel}", channel=channel))

    await bob.inbox.until(f"after {channels[-1]}")
    assert set(bob.inbox.missing) == set(channels)


async def test_another_redis_in_its_place_is_used_like_the_first(
    redis: Redis, own_redis: Redis, proxy: FaultProxy, make_node: NodeMaker
) -> None:
    alice, bob = await make_node(proxy.port), await make_node(proxy.port)
    await bob.broker.subscribe(ROOM)

    proxy.server_port = own_redis.port
    proxy.cut()

    await bob.inbox.wait_for(lambda: ROOM in bob.inbox.missing)
    await bob.hears(alice)


async def test_a_redis_without_memory_carries_publications(own_redis: Redis, make_node: NodeMaker) -> None:
    own_redis.ask("CONFIG", "SET", "maxmemory", "1")
    alice, bob = await make_node(own_redis.port), await make_node(own_redis.port)
    await bob.broker.subscribe(ROOM)

    alice.broker.publish(said("Hello Bob!"))

    assert await bob.inbox.until("Hello Bob!") == ["Hello Bob!"]


async def test_who_is_cut_for_reading_too_slowly_has_missed_something(own_redis: Redis, make_node: NodeMaker) -> None:
    own_redis.ask("CONFIG", "SET", "client-output-buffer-limit", "pubsub 200kb 0 0")
    with FaultProxy(own_redis.port) as proxy:
        alice, bob = await make_node(own_redis.port), await make_node(proxy.port)
        await bob.broker.subscribe(ROOM)
        proxy.freeze()
        for number in range(40):
            alice.broker.publish(said("x" * 500_000, position=number + 1))
            await alice.until(lambda: alice.broker._servers.of("")._link.backlog == 0)
        await alice.until(lambda: "name=hubbub" not in other_client(own_redis, alice_port(alice)))

        proxy.thaw()

        await bob.inbox.wait_for(lambda: ROOM in bob.inbox.missing)
        await bob.hears(alice)


def alice_port(node: Node) -> int:
    connection = node.broker._servers.of("")._link._connection
    assert connection is not None
    assert connection._transport is not None
    port: int = connection._transport.get_extra_info("sockname")[1]
    return port


def other_client(server: Redis, port: int) -> str:
    """Redis's list of its clients, without the one at a port."""
    lines = server.ask("CLIENT", "LIST")
    text = lines.decode() if isinstance(lines, bytes) else "\n".join(map(str, lines))
    return "\n".join(line for line in text.splitlines() if f":{port} " not in line)


async def test_what_redis_does_not_take_is_dropped_and_told_of_as_a_position(
    redis: Redis, proxy: FaultProxy, make_node: NodeMaker
) -> None:
    alice = await make_node(proxy.port, backlog=100_000)
    bob = await make_node(redis.port)
    await bob.broker.subscribe(ROOM)
    proxy.freeze()

    for number in range(1, 301):
        alice.broker.publish(said("x" * 100_000, position=number))
        await asyncio.sleep(0)
    problem = await alice.away()
    proxy.thaw()

    assert problem == f"redis://127.0.0.1:{proxy.port}/0: it takes less than is published"
    await bob.inbox.wait_for(lambda: bob.inbox.heads == [300])
    await alice.back()
    assert len(bob.inbox.texts) < 300


async def test_subscribing_waits_no_longer_than_the_deadline_and_is_made_up_for(
    redis: Redis, proxy: FaultProxy, make_node: NodeMaker
) -> None:
    alice, bob = await make_node(redis.port), await make_node(proxy.port, timeout=TIMEOUT)
    proxy.freeze()

    async with asyncio.timeout(DEADLINE):
        await bob.broker.subscribe(ROOM)
    proxy.thaw()

    await bob.inbox.wait_for(lambda: ROOM in bob.inbox.missing)
    await bob.hears(alice)


async def test_while_redis_is_away_subscribing_does_not_wait(
    redis: Redis, proxy: FaultProxy, make_node: NodeMaker
) -> None:
    alice, bob = await make_node(redis.port), await make_node(proxy.port)
    proxy.refuse()
    proxy.cut()
    await bob.away()

    async with asyncio.timeout(PATIENCE / 2):
        await bob.broker.subscribe(ROOM)
        await bob.broker.unsubscribe("room:never")
    proxy.refuse(on=False)

    await bob.inbox.wait_for(lambda: ROOM in bob.inbox.missing)
    await bob.hears(alice)


async def test_of_three_servers_only_ones_channels_are_missed(three_redis: list[Redis], make_node: NodeMaker) -> None:
    with FaultProxy(three_redis[1].port) as proxy:
        ports = [three_redis[0].port, proxy.port, three_redis[2].port]
        bob = await make_node(*ports)
        channels = [f"room:{number}" for number in range(60)]
        for channel in channels:
            await bob.broker.subscribe(channel)

        proxy.refuse()
        proxy.cut()
        problem = await bob.away()
        await bob.inbox.wait_for(lambda: bool(bob.inbox.missing))

        assert problem.startswith(f"redis://127.0.0.1:{proxy.port}/0: ")
        assert 5 < len(set(bob.inbox.missing)) < 40
        heard = [channel for channel in channels if channel not in bob.inbox.missing]
        alice = await make_node(*ports)
        alice.broker.publish(said("still here", channel=heard[0]))
        await bob.inbox.until("still here")


async def test_two_namespaces_and_two_database_numbers_do_not_hear_each_other(
    redis: Redis, make_node: NodeMaker
) -> None:
    alice, bob = await make_node(redis.port), await make_node(redis.port)
    carol = await make_node(redis.port, namespace="staging")
    dave = Node(RedisBroker(parse_addresses(f"redis://127.0.0.1:{redis.port}/1")))
    await dave.start("another database")
    for node in (bob, carol, dave):
        await node.broker.subscribe(ROOM)

    alice.broker.publish(said("for us"))
    carol.broker.publish(said("for staging"))
    dave.broker.publish(said("for number 1"))
    await bob.hears(alice)
    await dave.broker.stop()

    assert "for us" in bob.inbox.texts
    assert (carol.inbox.texts, dave.inbox.texts) == (["for staging"], ["for number 1"])


async def test_what_strangers_publish_is_passed_over(redis: Redis, make_node: NodeMaker) -> None:
    alice, bob = await make_node(redis.port), await make_node(redis.port)
    await bob.broker.subscribe(ROOM)

    for nonsense in ("", "hello", "\x01" * 100, "\x02" * 40):
        redis.ask("PUBLISH", f"hubbub:0:{ROOM}", nonsense)

    await bob.hears(alice)
    assert all(text.startswith("probe") for text in bob.inbox.texts)


async def test_a_cluster_that_takes_the_server_over_stops_the_nodes_of_another(
    redis: Redis, make_node: NodeMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = await make_node(redis.port)
    await bob.broker.subscribe(ROOM)
    redis.ask("SET", "hubbub:cluster", "theirs 1/1")

    bob.broker._servers.of("").renew_claim()

    assert "have another database" in await bob.away()
    redis.ask("DEL", "hubbub:cluster")
    await bob.back()
