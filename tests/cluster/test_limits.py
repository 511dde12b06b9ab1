"""Limits are those of the cluster: of connections per address and per user, and of requests."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from hubbub.shared_limits.base import DEADLINE
from hubbub.shared_limits.redis import LEASE
from tests.cluster.conftest import ENVIRONMENT, Serve
from tests.cluster.nodes import SECRET, Node, node
from tests.fault_proxy import FaultProxy
from tests.patient import PATIENCE, Patience
from tests.people import Person, Refused, person
from tests.servers import Redis, WebServer
from tests.waiting import eventually

FREE_WITHIN = 15.0
"""Seconds in which the connections of a killed node count no longer."""

Come = Callable[..., Awaitable[Person | None]]
MakeNodes = Callable[..., Awaitable[list[Node]]]


@pytest.fixture
async def make_nodes(own_redis: Redis) -> AsyncIterator[MakeNodes]:
    async with AsyncExitStack() as stack:

        async def make(number: int, *, url: str = "", **options: Any) -> list[Node]:
            options = {"broker_timeout": PATIENCE, "connections_per_address": 200, **options}
            return [await stack.enter_async_context(node(url or own_redis.url, **options)) for _ in range(number)]

        yield make


@pytest.fixture
async def come() -> AsyncIterator[Come]:
    async with AsyncExitStack() as stack:

        async def come(server: Any, name: str | None = None, **query: Any) -> Person | None:
            """None if there are too many connections."""
            try:
                return await stack.enter_async_context(person(server, name, **query))
            except Refused as refused:
                if refused.status != 429:
                    raise
                return None

        yield come


async def come_when_there_is_room(come: Come, server: Any, *, deadline: float) -> Person:
    came: list[Person] = []

    async def comes() -> bool:
        one = await come(server)
        if one is not None:
            came.append(one)
        return one is not None

    await eventually(comes, deadline=deadline)
    return came[0]


async def test_connections_of_an_address_are_counted_over_all_nodes(make_nodes: MakeNodes, come: Come) -> None:
    nodes = await make_nodes(3, connections_per_address=3)
    people = [await come(server) for server in nodes]
    assert all(people)
    assert [await come(server) for server in nodes] == [None] * 3

    assert people[0] is not None
    await people[0].link.close()
    await come_when_there_is_room(come, nodes[1], deadline=PATIENCE)
    assert await come(nodes[0]) is None


async def test_of_many_who_come_to_all_nodes_at_once_as_many_get_in_as_may(make_nodes: MakeNodes, come: Come) -> None:
    nodes = await make_nodes(3, connections_per_address=7)

    came = await asyncio.gather(*(come(server) for _ in range(5) for server in nodes))

    assert len([one for one in came if one is not None]) == 7


async def test_connections_of_a_user_are_counted_over_all_nodes(make_nodes: MakeNodes, come: Come) -> None:
    nodes = await make_nodes(2, accounts=True, connections_per_user=2)
    phone = await come(nodes[0], user="alice")
    assert phone is not None
    assert await come(nodes[1], user="ALICE") is not None
    assert [await come(server, user="alice") for server in nodes] == [None, None]
    assert await come(nodes[1], user="bob") is not None

    await phone.link.close()

    async def comes() -> bool:
        return await come(nodes[1], user="alice") is not None

    await eventually(comes)


async def test_a_guest_who_is_refused_holds_no_name(make_nodes: MakeNodes, come: Come, own_redis: Redis) -> None:
    nodes = await make_nodes(2, connections_per_user=1)
    alice = await come(nodes[0], "alice")
    assert alice is not None
    secret = alice.of_type("welcome")[0]["secret"]
    assert await come(nodes[1], "alice", secret=secret) is None
    await alice.link.close()

    await eventually(lambda: not own_redis.ask("KEYS", "hubbub:*:held:*"))
    assert not own_redis.ask("KEYS", "hubbub:limits:of:*")


async def test_requests_of_a_user_are_limited_over_all_nodes(make_nodes: MakeNodes) -> None:
    nodes = await make_nodes(2, accounts=True, request_rate=0.01, request_burst=5)

    async def publish(number: int, user: str = "alice") -> int:
        answer = await client.post(f"{nodes[number % 2].url}/notify/x?title=t&user={user}")
        assert answer.status_code == 200 or 90 <= int(answer.headers["Retry-After"]) <= 100
        return answer.status_code

    async with httpx.AsyncClient(verify=False) as client:
        assert [await publish(number) for number in range(10)] == [200] * 6 + [429] * 4
        assert [await publish(number, "bob") for number in range(2)] == [200, 200]


async def test_a_large_page_of_one_node_counts_on_the_others(make_nodes: MakeNodes) -> None:
    nodes = await make_nodes(2, accounts=True, request_rate=0.01, request_burst=5)

    async with httpx.AsyncClient(verify=False) as client:
        pages = [f"{server.url}/api/v1/rooms/room1/messages?limit=100&user=alice" for server in nodes]
        assert [(await client.get(page)).status_code for page in pages] == [200, 429]


async def test_a_request_is_no_connection(make_nodes: MakeNodes, come: Come) -> None:
    nodes = await make_nodes(2, connections_per_address=2)
    assert await come(nodes[0], "alice") is not None
    assert await come(nodes[1], "bob") is not None

    async with httpx.AsyncClient(verify=False) as client:
        posted = await client.post(f"{nodes[0].url}/api/v1/rooms/hall/messages?username=carol", json={"text": "hello"})
    assert posted.status_code == 201


async def test_at_most_ten_are_shown_as_typing_on_all_nodes_together(
    make_nodes: MakeNodes, come: Come, own_redis: Redis
) -> None:
    async def present(server: Node, name: str) -> Person:
        one = await come(server, name)
        assert one is not None
        await one.join("hall")
        return one

    nodes = await make_nodes(2)
    reader = await present(nodes[0], "reader")
    people = [await present(nodes[number % 2], f"user{number}") for number in range(12)]
    for one in people:
        await one.ask({"type": "typing", "room": "hall"})
    shown = {event["user"] for event in await reader.gather("typing", 10)}
    assert len(shown) == 10
    assert sum(int(count) for count in own_redis.ask("HVALS", "hubbub:limits:of:typing hall")) == 10

    # Who begins later is shown when another one has ended, on whatever node.
    writer = next(one for one in people if one.key in shown)
    waiting = next(one for one in people if one.key not in shown)
    assert (await writer.say("hall", "done"))["type"] == "ack"

    async def is_shown() -> bool:
        await waiting.ask({"type": "typing", "room": "hall"})
        await reader.ask({"type": "ping"})
        return waiting.key in {event["user"] for event in reader.of_type("typing")}

    await eventually(is_shown)


@pytest.mark.parametrize("fault", ["cut", "freeze", "swallow"])
async def test_without_redis_connects_are_quick_and_each_node_has_its_own_limits(
    make_nodes: MakeNodes, come: Come, own_redis: Redis, patience: Patience, fault: str
) -> None:
    with FaultProxy(own_redis.port) as proxy:
        nodes = await make_nodes(2, url=f"redis://127.0.0.1:{proxy.port}", connections_per_address=2)
        first = [await come(server) for server in nodes]
        assert all(first)
        match fault:
            case "cut":
                proxy.refuse()
                proxy.cut()
            case "freeze":
                proxy.freeze()
            case _:
                proxy.swallow()
        with patience.suspended():
            began = asyncio.get_running_loop().time()
            assert all([await come(server) for server in nodes])
            assert [await come(server) for server in nodes] == [None, None]
            assert asyncio.get_running_loop().time() - began < PATIENCE / 2
            # With some faults presence is away too, and the nodes are not ready. They say that their limits are their
            # own.
            for server in nodes:
                said = await says_of_its_limits(server, has_own_limits=True)
                assert f"127.0.0.1:{proxy.port}" in said["limits"]

        proxy.refuse(on=False)
        proxy.swallow(on=False)
        proxy.thaw()
        # The nodes would notice much later that something was swallowed.
        proxy.cut()
        await eventually(lambda: told(own_redis) == 4)
        for one in first:
            assert one is not None
            await one.link.close()
        # One on each node is left, and these are as many as may be on both.
        await eventually(lambda: told(own_redis) == 2)
        assert [await come(server) for server in nodes] == [None, None]
        for server in nodes:
            await says_of_its_limits(server, has_own_limits=False)


async def test_a_node_whose_redis_is_slow_is_ready_and_says_that_its_limits_are_its_own(
    make_nodes: MakeNodes, own_redis: Redis, patience: Patience
) -> None:
    with FaultProxy(own_redis.port) as proxy, patience.suspended():
        (server,) = await make_nodes(1, url=f"redis://127.0.0.1:{proxy.port}")
        proxy.delay = DEADLINE + 0.1
        said = await says_of_its_limits(server, has_own_limits=True)
        proxy.delay = 0.0

        address = f"redis://127.0.0.1:{proxy.port}/0"
        assert said == {"status": "ok", "limits": f"{address}: it needs more than 0.25 s for an answer"}
        assert await says_of_its_limits(server, has_own_limits=False) == {"status": "ok"}


async def says_of_its_limits(server: Node, *, has_own_limits: bool) -> dict[str, str]:
    """What it says of itself, once it holds limits of its own, or those of all nodes again."""
    said: dict[str, str] = {}

    async def says_so() -> bool:
        said.clear()
        said.update((await client.get(f"{server.url}/health/ready")).json())
        return ("limits" in said) is has_own_limits

    async with httpx.AsyncClient(verify=False) as client:
        await eventually(says_so)
    return said


def told(redis: Redis) -> int:
    """How many connections the nodes that live have told Redis of."""
    counts: dict[bytes, bytes] = redis.ask("HGETALL", "hubbub:limits:of:address 127.0.0.1")
    return sum(
        int(count) for node, count in counts.items() if redis.ask("EXISTS", f"hubbub:limits:node:{node.decode()}")
    )


@pytest.fixture
def processes(serve_patiently: Serve, own_redis: Redis) -> list[WebServer]:
    environment = {
        **ENVIRONMENT,
        "HUBBUB_DATABASE_URL": "none",
        "HUBBUB_SECRET": SECRET,
        "HUBBUB_BROKER_URL": own_redis.url,
        "HUBBUB_CONNECTIONS_PER_ADDRESS": "3",
    }
    return [serve_patiently(environment) for _ in range(2)]


@pytest.mark.slow(2 * LEASE)
async def test_connections_of_a_killed_node_count_no_longer_after_15_seconds(
    processes: list[WebServer], come: Come
) -> None:
    assert all([await come(processes[0]) for _ in range(3)])
    assert await come(processes[1]) is None
    processes[0].kill()

    await come_when_there_is_room(come, processes[1], deadline=FREE_WITHIN)


@pytest.mark.slow(3 * LEASE)
async def test_connections_of_a_frozen_node_count_again_when_it_goes_on(
    processes: list[WebServer], come: Come, own_redis: Redis
) -> None:
    assert all([await come(processes[0]) for _ in range(3)])
    processes[0].signal(signal.SIGSTOP)
    try:
        await come_when_there_is_room(come, processes[1], deadline=FREE_WITHIN)
    finally:
        processes[0].signal(signal.SIGCONT)

    await eventually(lambda: told(own_redis) == 4)
    assert await come(processes[1]) is None


async def test_a_node_that_stops_makes_room_at_once(processes: list[WebServer], come: Come) -> None:
    assert all([await come(processes[0]) for _ in range(3)])
    processes[0].stop()

    assert await come(processes[1]) is not None
