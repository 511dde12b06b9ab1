"""Limits are those of the cluster: of connections per address and per user, and of requests."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.requests import HTTPConnection

from hubbub import Hubbub
from hubbub.settings import Settings
from hubbub.shared_limits.base import DEADLINE
from hubbub.shared_limits.redis import LEASE
from hubbub.testing import serving
from tests.cluster.conftest import ENVIRONMENT
from tests.conftest import ServerFactory
from tests.fault_proxy import FaultProxy
from tests.people import Person, Refused, person
from tests.servers import MissingError, Redis, WebServer
from tests.waiting import eventually

SECRET = "one secret for all nodes of this test"
FREE_WITHIN = 15.0
"""Seconds in which the connections of a killed node count no longer."""

Come = Callable[..., Awaitable[Person | None]]
MakeNodes = Callable[..., Awaitable[list["Node"]]]


class Node:
    """A hub in this process."""

    def __init__(self, port: int) -> None:
        self.ws_url = f"ws://127.0.0.1:{port}"
        self.url = f"http://127.0.0.1:{port}"


async def login(connection: HTTPConnection) -> str:
    return connection.query_params["user"]


@asynccontextmanager
async def node(broker_url: str, *, accounts: bool = False, **options: Any) -> AsyncIterator[Node]:
    settings = Settings(broker_url=SecretStr(broker_url), secret=SecretStr(SECRET), broker_timeout=1, **options)
    hub = (
        Hubbub(authenticate=login, page=False, settings=settings)
        if accounts
        else Hubbub(guests="on", page=False, settings=settings)
    )
    app = FastAPI()
    app.include_router(hub.router)
    async with serving(app) as server:
        yield Node(server.port)


@pytest.fixture
def own_redis(tmp_path: Path, missing: Callable[[MissingError], NoReturn]) -> Iterator[Redis]:
    """One that a test may end."""
    try:
        server = Redis(tmp_path)
    except MissingError as error:
        missing(error)
    with server:
        yield server


@pytest.fixture
async def make_nodes(own_redis: Redis) -> AsyncIterator[MakeNodes]:
    async with AsyncExitStack() as stack:

        async def make(number: int, *, url: str = "", **options: Any) -> list[Node]:
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
    await come_when_there_is_room(come, nodes[1], deadline=5)
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
    make_nodes: MakeNodes, come: Come, own_redis: Redis, fault: str
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
        began = asyncio.get_running_loop().time()
        assert all([await come(server) for server in nodes])
        assert [await come(server) for server in nodes] == [None, None]
        assert asyncio.get_running_loop().time() - began < 4 * DEADLINE + 5

        proxy.refuse(on=False)
        proxy.swallow(on=False)
        proxy.thaw()
        await eventually(lambda: told(own_redis) == 4)
        for one in first:
            assert one is not None
            await one.link.close()
        # One on each node is left, and these are as many as may be on both.
        await eventually(lambda: told(own_redis) == 2)
        assert [await come(server) for server in nodes] == [None, None]


def told(redis: Redis) -> int:
    """How many connections the nodes that live have told Redis of."""
    counts: dict[bytes, bytes] = redis.ask("HGETALL", "hubbub:limits:of:address 127.0.0.1")
    return sum(
        int(count) for node, count in counts.items() if redis.ask("EXISTS", f"hubbub:limits:node:{node.decode()}")
    )


@pytest.fixture
def processes(serve: ServerFactory, own_redis: Redis) -> list[WebServer]:
    environment = {
        **ENVIRONMENT,
        "HUBBUB_DATABASE_URL": "none",
        "HUBBUB_SECRET": SECRET,
        "HUBBUB_BROKER_URL": own_redis.url,
        "HUBBUB_CONNECTIONS_PER_ADDRESS": "3",
    }
    return [serve(environment=environment) for _ in range(2)]


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
