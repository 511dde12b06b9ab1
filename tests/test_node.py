"""One server process: started, drained in stages, stopped, and started again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hubbub import node as node_module
from hubbub.broker.base import Broker
from hubbub.broker.memory import MemoryBroker
from hubbub.dispatch.hooks import Hooks
from hubbub.errors import NotStarted, Unavailable
from hubbub.features.built_in import built_in
from hubbub.features.messages.log import RoomLogs
from hubbub.node import A_NODE, NODE, Node, _unreached
from hubbub.store.postgres import Postgres
from hubbub.store.sqlite import SQLite
from tests.broker.inbox import redis_broker
from tests.delivery.links import Person, turn
from tests.lone_node import lone_node
from tests.servers import Redis
from tests.waiting import eventually


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    node = lone_node()
    await node.start()
    yield node
    await node.stop()


def leave_when_told(person: Person) -> None:
    """Answer a close frame, as a good client does."""

    def answer(code: int, reason: str) -> None:
        person.transport.closed_with = (code, reason)
        asyncio.get_running_loop().call_soon(person.connection.lost, 1006, "")

    person.transport.close = answer  # type: ignore[method-assign]


async def test_a_node_that_is_not_started_says_so() -> None:
    node = lone_node()

    assert not node.is_started
    with pytest.raises(NotStarted):
        node.require_started()


async def test_a_node_that_cannot_start_releases_its_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(self: RoomLogs, room: str) -> None:
        raise Unavailable("the disk cannot be read")

    with monkeypatch.context() as broken:
        broken.setattr(RoomLogs, "head", fail)
        with pytest.raises(Unavailable):
            await lone_node(
                engine=SQLite(tmp_path),
                features=built_in(Hooks()),
            ).start()

    another = lone_node(engine=SQLite(tmp_path), features=built_in(Hooks()))
    await another.start()
    await another.stop()


async def test_a_node_belongs_to_its_own_event_loop(node: Node) -> None:
    node.require_started()

    def elsewhere() -> None:
        async def ask() -> None:
            node.require_started()

        asyncio.run(ask())

    with pytest.raises(NotStarted):
        await asyncio.to_thread(elsewhere)


async def test_a_drain_tells_and_closes_everybody_and_ends_with_the_last_one(node: Node) -> None:
    people = [Person(node.fanout, f"guest-{number}") for number in range(120)]
    for person in people:
        leave_when_told(person)

    async with asyncio.timeout(20):
        await node.drain(10)

    assert not node.fanout.connections
    assert all(person.transport.closed_with == (1012, "the server restarts") for person in people)
    delays = [person.events[0]["reconnect_in"] for person in people]
    assert len(set(delays)) > 10
    assert min(delays) >= 500


async def test_a_connection_that_does_not_close_is_dropped_at_the_deadline(node: Node) -> None:
    stubborn = Person(node.fanout, "stubborn")

    def drop() -> None:
        stubborn.transport.aborted = True
        stubborn.connection.lost(1006, "")

    stubborn.transport.abort = drop  # type: ignore[method-assign]

    async with asyncio.timeout(20):
        await node.drain(0.1)

    assert stubborn.transport.aborted
    assert stubborn.listener.endings == [(1012, "the server restarts")]


async def test_a_second_drain_does_nothing(node: Node) -> None:
    await node.drain(1)
    late = Person(node.fanout, "late")

    await node.drain(1)

    assert late.transport.closed_with is None
    late.connection.lost(1006, "")


async def test_a_second_call_waits_for_the_end_of_a_running_drain(node: Node) -> None:
    alice = Person(node.fanout, "alice")

    first = asyncio.ensure_future(node.drain(5))
    await turn(2)
    second = asyncio.ensure_future(node.drain(5))
    await turn(2)
    still_waiting = not second.done()
    leave_when_told(alice)
    await asyncio.gather(first, second)

    assert still_waiting
    assert not node.fanout.connections


async def test_a_stopped_node_can_start_again() -> None:
    node = lone_node()
    for _ in range(2):
        await node.start()
        assert node.broker.problem is None
        assert not node.is_draining
        await node.stop()
        assert not node.is_started


async def test_a_job_that_fails_is_logged_and_does_not_end_the_others(caplog: pytest.LogCaptureFixture) -> None:
    node = lone_node()
    done = asyncio.Event()

    def fail() -> None:
        raise RuntimeError("our own mistake")

    task = asyncio.ensure_future(node._every(0, fail, done.set))
    async with asyncio.timeout(20):
        await done.wait()
        done.clear()
        await done.wait()
    task.cancel()
    await turn()

    assert "our own mistake" in caplog.text
    assert task.cancelled()


# Several nodes on one database whose broker is not the same.

OTHERS = "another server works on the same database"


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_module, "OLD_LEASES_END", 0.2)
    monkeypatch.setattr(node_module, "ERROR_REPEATS", 0.2)


async def start_node(url: str, broker: Broker) -> Node:
    node = lone_node(broker=broker, engine=Postgres(url), features=built_in(Hooks()))
    await node.start()
    return node


@asynccontextmanager
async def two_nodes(url: str, first: Broker, second: Broker) -> AsyncIterator[tuple[Node, Node]]:
    """The first one has the lease that the second one sees."""
    nodes = [await start_node(url, first)]
    await eventually(lambda: has_lease(nodes[0]), deadline=30)
    nodes.append(await start_node(url, second))
    try:
        yield nodes[0], nodes[1]
    finally:
        for node in nodes:
            await node.stop()


@pytest.mark.usefixtures("soon")
async def test_two_nodes_without_a_broker_on_one_database_notice_each_other(
    postgres: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with two_nodes(postgres, MemoryBroker(), MemoryBroker()) as (first, second):
        await eventually(lambda: caplog.text.count(OTHERS) >= 2, deadline=30)
        assert "Run one server, or set the same HUBBUB_BROKER_URL=redis://… on both" in caplog.text

        await first.stop()
        await eventually(lambda: has_lease(second), deadline=60)


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.usefixtures("soon")
async def test_a_node_with_a_broker_and_one_without_notice_each_other(
    postgres: str, redis: Redis, caplog: pytest.LogCaptureFixture, is_first: bool
) -> None:
    alone, one_of_many = MemoryBroker(), redis_broker(redis)
    async with two_nodes(postgres, one_of_many, alone) if is_first else two_nodes(postgres, alone, one_of_many):
        await eventually(lambda: OTHERS in caplog.text, deadline=30)

    assert ("set the same HUBBUB_BROKER_URL=redis://… on both" in caplog.text) == is_first
    assert ("Give both the same HUBBUB_BROKER_URL and HUBBUB_BROKER_NAMESPACE" in caplog.text) == (not is_first)


@pytest.mark.usefixtures("soon")
async def test_nodes_with_different_brokers_on_one_database_notice_each_other(
    postgres: str, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    async with two_nodes(postgres, redis_broker(redis), redis_broker(redis, namespace="another")):
        await eventually(lambda: OTHERS in caplog.text, deadline=30)

    assert "Give both the same HUBBUB_BROKER_URL and HUBBUB_BROKER_NAMESPACE" in caplog.text


@pytest.mark.usefixtures("soon")
async def test_nodes_with_one_broker_reach_each_other(
    postgres: str, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    async with two_nodes(postgres, redis_broker(redis), redis_broker(redis)) as (first, second):
        assert second._leases is not None
        await eventually(lambda: other_of(second) == first.id, deadline=30)
        assert await second.broker.count(NODE + first.id) == 1
        for _ in range(3):
            assert await _unreached(second._leases, second.broker) is None

    assert OTHERS not in caplog.text


def has_lease(node: Node) -> bool:
    assert node._leases is not None
    return node._leases.held(A_NODE) is not None


def other_of(node: Node) -> str | None:
    assert node._leases is not None
    return node._leases.other_owner(A_NODE)
