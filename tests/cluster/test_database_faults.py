"""PostgreSQL fails under three nodes: it is locked or frozen, or does not answer a COMMIT."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from hubbub.features.messages.log_check import check_rooms
from hubbub.store.operations import check
from hubbub.store.postgres import Postgres
from tests.cluster.conftest import ENVIRONMENT
from tests.conftest import ServerFactory
from tests.fault_proxy import FaultProxy
from tests.patient import PATIENCE
from tests.people import Person, person
from tests.servers import MissingError, Redis, WebServer, impatient_server
from tests.servers import Postgres as PostgresServer
from tests.waiting import eventually

pytestmark = pytest.mark.slow(3)

MUCH_LONGER = 60.0
NAMES = ("alice", "bob", "carol")
NOTICED = 5.0
"""Seconds after which a node gives up a database that is silent. On a busy machine an answer may take some."""
StartNodes = Callable[..., list[WebServer]]


@pytest.fixture
def start_nodes(postgres: str, redis: Redis, serve: ServerFactory) -> StartNodes:
    """Starts one node for each address of the database, for which it waits up to `timeout` seconds."""

    def start(*addresses: str, timeout: float = PATIENCE) -> list[WebServer]:
        environment = {**ENVIRONMENT, "HUBBUB_BROKER_URL": redis.url, "HUBBUB_DATABASE_TIMEOUT": str(timeout)}
        return [serve(environment=environment | {"HUBBUB_DATABASE_URL": address}) for address in addresses]

    return start


@asynccontextmanager
async def in_the_hall(nodes: list[WebServer]) -> AsyncIterator[list[Person]]:
    """One person on each node, all in one room."""
    async with AsyncExitStack() as stack:
        people = [await stack.enter_async_context(person(node, name)) for node, name in zip(nodes, NAMES, strict=True)]
        for one in people:
            await join_until_joined(one)
        yield people


async def join_until_joined(somebody: Person) -> None:
    async with asyncio.timeout(MUCH_LONGER):
        while (answer := await somebody.join("hall"))["type"] != "joined":
            assert answer["code"] == "unavailable"


def message(text: str) -> dict[str, Any]:
    return {"type": "message", "room": "hall", "text": text, "key": f"the-key-of-{text}"}


async def say_until_acked(somebody: Person, text: str) -> dict[str, Any]:
    async with asyncio.timeout(MUCH_LONGER):
        while (answer := await somebody.ask(message(text)))["type"] != "ack":
            assert (answer["type"], answer["code"]) == ("error", "unavailable")
            await asyncio.sleep(answer["retry_after"] / 1000)
    return answer


async def heard(somebody: Person, number: int) -> list[str]:
    """The texts of so many messages, in their order, however they came."""
    rows: list[dict[str, Any]] = []
    try:
        async with asyncio.timeout(MUCH_LONGER):
            while True:
                rows = []
                for event in somebody.seen:
                    rows += {"message": [event], "sync": event.get("messages", [])}.get(event["type"], [])
                assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
                if len(rows) >= number:
                    return [row["text"] for row in rows]
                await somebody.next()
    except TimeoutError:
        raise AssertionError(f"{somebody.key} has {len(rows)} of {number}; the last: {somebody.seen[-3:]}") from None


def has_more_cuts(proxy: FaultProxy, seen: int) -> bool:
    return proxy.cuts > seen


async def test_the_same_key_at_the_same_instant_on_three_nodes_is_one_message(
    postgres: str, start_nodes: StartNodes
) -> None:
    nodes = start_nodes(postgres, postgres, postgres)
    async with AsyncExitStack() as stack:
        alices = [await stack.enter_async_context(person(nodes[0], "alice"))]
        secret = alices[0].of_type("welcome")[0]["secret"]
        alices += [await stack.enter_async_context(person(node, "alice", secret=secret)) for node in nodes[1:]]
        bob = await stack.enter_async_context(person(nodes[2], "bob"))
        for one in (*alices, bob):
            await one.join("hall")

        for turn in range(20):
            answers = await asyncio.gather(*(alice.ask(message(f"turn-{turn}")) for alice in alices))
            assert {(answer["type"], answer["seq"], answer["rev"]) for answer in answers} == {
                ("ack", turn + 1, turn + 1)
            }

        for one in (*alices, bob):
            assert await heard(one, 20) == [f"turn-{turn}" for turn in range(20)]
    assert check(Postgres(postgres), check_rooms) == []


async def test_a_commit_whose_answer_is_lost_on_one_node_is_one_message_on_all(
    postgres: str, start_nodes: StartNodes
) -> None:
    cuts = False

    def cut_after_commit(request: bytes) -> bool:
        return cuts and b"COMMIT" in request

    port = urlsplit(postgres).port
    assert port is not None
    with FaultProxy(port, on_request=cut_after_commit) as proxy:
        nodes = start_nodes(proxy.before(postgres), postgres, postgres)
        async with in_the_hall(nodes) as people:
            texts = []
            for turn in range(5):
                # On a connection that is used often, COMMIT is prepared, and no longer sent as a word.
                proxy.cut()
                cuts = True
                seen = proxy.cuts
                sending = asyncio.gather(
                    *(say_until_acked(one, f"{turn}-{name}") for one, name in zip(people, NAMES, strict=True))
                )
                await eventually(partial(has_more_cuts, proxy, seen), deadline=MUCH_LONGER)
                cuts = False
                acks = await sending
                texts += [f"{turn}-{name}" for name in NAMES]
                # To say it again on another node is the same message: nothing was acked that is not there.
                again = await people[0].ask(message(f"{turn}-alice"))
                assert (again["seq"], again["rev"]) == (acks[0]["seq"], acks[0]["rev"])

            views = [await heard(one, len(texts)) for one in people]
            assert sorted(views[0]) == texts
            assert views[1:] == [views[0]] * 2
    assert check(Postgres(postgres), check_rooms) == []


@pytest.mark.slow(10)
async def test_a_lock_in_the_database_is_unavailable_on_every_node_and_over_when_it_is_released(
    postgres: str, start_nodes: StartNodes
) -> None:
    nodes = start_nodes(postgres, postgres, postgres, timeout=NOTICED)
    async with in_the_hall(nodes) as people:
        with psycopg.connect(postgres) as other:
            other.execute("LOCK TABLE rooms")
            refused = await asyncio.gather(*(one.ask(message(name)) for one, name in zip(people, NAMES, strict=True)))
        assert [(answer["type"], answer["code"]) for answer in refused] == [("error", "unavailable")] * 3
        assert all(answer["retry_after"] for answer in refused)

        await asyncio.gather(*(say_until_acked(one, name) for one, name in zip(people, NAMES, strict=True)))

        views = [await heard(one, 3) for one in people]
        assert sorted(views[0]) == sorted(NAMES)
        assert views[1:] == [views[0]] * 2
    assert check(Postgres(postgres), check_rooms) == []


@pytest.mark.slow(10)
async def test_a_frozen_database_is_unavailable_on_every_node_and_nothing_is_lost_or_doubled_when_it_goes_on(
    postgres: str, start_nodes: StartNodes
) -> None:
    port = urlsplit(postgres).port
    assert port is not None
    with FaultProxy(port) as proxy:
        nodes = start_nodes(*[proxy.before(postgres)] * 3, timeout=NOTICED)
        async with in_the_hall(nodes) as people, httpx.AsyncClient(trust_env=False) as http:
            await say_until_acked(people[0], "before")
            proxy.freeze()

            async def is_away(node: WebServer) -> bool:
                return (await http.get(f"{node.url}/health/ready")).status_code == 503

            refused = await asyncio.gather(*(one.ask(message(name)) for one, name in zip(people, NAMES, strict=True)))
            read = await asyncio.gather(*(one.ask({"type": "history", "room": "hall"}) for one in people))
            for node in nodes:
                await eventually(partial(is_away, node), deadline=MUCH_LONGER)
            proxy.thaw()
            await asyncio.gather(*(say_until_acked(one, name) for one, name in zip(people, NAMES, strict=True)))
            views = [await heard(one, 4) for one in people]

            assert [answer["code"] for answer in (*refused, *read)] == ["unavailable"] * 6
            assert sorted(views[0]) == sorted(["before", *NAMES])
            assert views[1:] == [views[0]] * 2
        for node in nodes:
            assert await asyncio.to_thread(node.stop) == 0
    assert check(Postgres(postgres), check_rooms) == []


@pytest.mark.slow(5)
async def test_sigterm_ends_three_nodes_whose_database_and_redis_are_frozen(
    postgres: str, redis: Redis, tmp_path: Path
) -> None:
    port = urlsplit(postgres).port
    assert port is not None
    with FaultProxy(port) as database, FaultProxy(redis.port) as broker:
        environment = {
            **ENVIRONMENT,
            "HUBBUB_DATABASE_URL": database.before(postgres),
            "HUBBUB_BROKER_URL": f"redis://127.0.0.1:{broker.port}",
            "HUBBUB_DATABASE_TIMEOUT": "60",
            "HUBBUB_DRAIN_TIMEOUT": "1",
            "HUBBUB_CLOSE_TIMEOUT": "1",
        }
        nodes = [impatient_server(tmp_path, environment).start() for _ in range(3)]
        async with in_the_hall(nodes) as people:
            database.freeze()
            broker.freeze()
            for one, name in zip(people, NAMES, strict=True):
                await one.send(message(name))
            for node in nodes:
                node.signal(signal.SIGTERM)

            # A node that waited for one of the two would never end.
            ends = [await asyncio.to_thread(node.wait, MUCH_LONGER) for node in nodes]
            assert set(ends) <= {0, 1}, ends
            assert [event for one in people for event in one.of_type("ack")] == []
    assert check(Postgres(postgres), check_rooms) == []


@pytest.mark.slow(40)
async def test_a_database_that_is_killed_under_three_nodes_loses_and_doubles_nothing(
    start_nodes: StartNodes, missing: Callable[[MissingError], NoReturn]
) -> None:
    try:
        server = PostgresServer()
    except MissingError as error:
        missing(error)
    server.start()
    try:
        url = server.create_database()
        nodes = start_nodes(url, url, url)
        async with in_the_hall(nodes) as people:

            async def say_many(somebody: Person, name: str) -> dict[str, int]:
                return {
                    text: (await say_until_acked(somebody, text))["seq"]
                    for text in [f"{name}-{number}" for number in range(40)]
                }

            saying = asyncio.gather(*(say_many(one, name) for one, name in zip(people, NAMES, strict=True)))
            for number in (5, 15):
                await eventually(partial(has_messages, url, number), deadline=MUCH_LONGER)
                # At once and without a clean end: all connections are lost in mid-transaction.
                server.signal(signal.SIGQUIT)
                await asyncio.to_thread(server.wait)
                await asyncio.to_thread(server.start)
            acked = {text: seq for acks in await saying for text, seq in acks.items()}
            views = [await heard(one, len(acked)) for one in people]

            assert views == [[text for text, _ in sorted(acked.items(), key=lambda ack: ack[1])]] * 3
        for node in nodes:
            assert await asyncio.to_thread(node.stop) == 0
        assert check(Postgres(url), check_rooms) == []
    finally:
        server.remove()


def has_messages(url: str, number: int) -> bool:
    with psycopg.connect(url, connect_timeout=5) as database:
        (found,) = database.execute("SELECT count(*) FROM messages").fetchone() or (0,)
        return bool(found >= number)
