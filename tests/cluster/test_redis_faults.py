"""Two nodes while Redis, or a line to it, fails: sends are acked, everybody gets everything, and the nodes say so."""

import asyncio
import signal
from pathlib import Path

import httpx
import pytest

from tests.cluster.conftest import ENVIRONMENT, SOON, MakeNodes
from tests.cluster.views import messages
from tests.fault_proxy import FaultProxy
from tests.people import person
from tests.servers import Postgres, Redis, WebServer, hubbub_command

pytestmark = pytest.mark.slow(3)

DEADLINE = 60.0


@pytest.fixture
def settings() -> dict[str, str]:
    return ENVIRONMENT | SOON


async def readiness(node: WebServer, status: str) -> dict[str, str]:
    """What a node says of itself, once it is this."""
    async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(DEADLINE):
        while (answer := await client.get(f"{node.url}/health/ready")).json()["status"] != status:  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # nobody is told when it changes
    assert answer.status_code == (200 if status == "ok" else 503)
    body: dict[str, str] = answer.json()
    return body


async def test_while_redis_is_away_everything_reaches_the_other_node(make_nodes: MakeNodes, own_redis: Redis) -> None:
    nodes = make_nodes(own_redis.url)
    async with person(nodes[0], "alice") as alice, person(nodes[1], "bob") as bob:
        await alice.join("hall")
        await bob.join("hall")
        await alice.say("hall", "1")

        own_redis.kill()
        for number in range(2, 6):
            assert (await alice.say("hall", str(number)))["type"] == "ack"
        assert [message["text"] for message in await messages(bob, 5)] == ["1", "2", "3", "4", "5"]
        for node in nodes:
            assert (await readiness(node, "broker"))["detail"].startswith(f"redis://127.0.0.1:{own_redis.port}/0: it ")

        own_redis.start()
        for node in nodes:
            await readiness(node, "ok")
        await bob.say("hall", "6")
        assert [message["rev"] for message in await messages(alice, 6)] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("fault", ["freeze", "swallow_requests", "swallow_answers", "cut"])
async def test_a_fault_on_one_node_s_line_keeps_nothing_from_anybody(
    make_nodes: MakeNodes, redis: Redis, fault: str
) -> None:
    with FaultProxy(redis.port) as proxy:
        direct, behind = make_nodes(redis.url, f"redis://127.0.0.1:{proxy.port}")
        async with person(direct, "alice") as alice, person(behind, "bob") as bob:
            await alice.join("hall")
            await bob.join("hall")

            getattr(proxy, fault)()
            for number in range(5):
                await alice.say("hall", f"alice {number}")
                await bob.say("hall", f"bob {number}")

            revs = list(range(1, 11))
            assert [message["rev"] for message in await messages(bob, 10)] == revs
            assert [message["rev"] for message in await messages(alice, 10)] == revs
            proxy.thaw()
            proxy.swallow(on=False)
            await readiness(behind, "ok")


async def test_who_joins_while_redis_hangs_comes_in_and_misses_nothing(make_nodes: MakeNodes, own_redis: Redis) -> None:
    nodes = make_nodes(own_redis.url)
    async with person(nodes[0], "alice") as alice, person(nodes[1], "bob") as bob:
        await alice.join("hall")
        await alice.say("hall", "before")
        own_redis.signal(signal.SIGSTOP)
        try:
            joined = await bob.join("hall")
            await alice.say("hall", "while it hangs")
            assert [message["text"] for message in joined["messages"]] == ["before"]
            assert [message["text"] for message in await messages(bob, 1)] == ["while it hangs"]
        finally:
            own_redis.signal(signal.SIGCONT)


async def test_nodes_start_and_stop_in_time_while_redis_hangs(make_nodes: MakeNodes, own_redis: Redis) -> None:
    own_redis.signal(signal.SIGSTOP)
    try:
        nodes = make_nodes(own_redis.url)
        async with person(nodes[0], "alice") as alice:
            await alice.join("hall")
            assert (await alice.say("hall", "is anybody here?"))["type"] == "ack"
        for node in nodes:
            assert "does not answer" in (await readiness(node, "broker"))["detail"]
            assert await asyncio.to_thread(node.stop, 10.0) in {0, -signal.SIGTERM}
    finally:
        own_redis.signal(signal.SIGCONT)


async def test_a_redis_without_memory_is_named_and_keeps_no_message_from_anybody(
    make_nodes: MakeNodes, own_redis: Redis
) -> None:
    nodes = make_nodes(own_redis.url)
    async with person(nodes[0], "alice") as alice, person(nodes[1], "bob") as bob:
        await alice.join("hall")
        await bob.join("hall")
        await alice.expect("join", user="bob")

        own_redis.ask("CONFIG", "SET", "maxmemory", "1")
        for node in nodes:
            told = f"redis://127.0.0.1:{own_redis.port}/0: it has no memory left for writes (OOM): raise its maxmemory"
            assert (await readiness(node, "broker"))["detail"] == told
            assert "it has no memory left for writes (OOM): raise its maxmemory" in node.log
        await alice.say("hall", "Can you hear me?")
        assert [message["text"] for message in await messages(bob, 1)] == ["Can you hear me?"]
        async with person(nodes[1], "carol") as carol:
            assert (await carol.join("hall"))["online"] == 3
            await bob.ask({"type": "leave", "room": "hall"})

            own_redis.ask("CONFIG", "SET", "maxmemory", "0")
            for node in nodes:
                await readiness(node, "ok")
            while not {("join", "carol"), ("leave", "bob")} <= {(e["type"], e.get("user")) for e in alice.seen}:
                await alice.next()


async def test_a_node_that_starts_while_redis_has_no_memory_is_ready_when_it_has_some(
    make_nodes: MakeNodes, own_redis: Redis
) -> None:
    own_redis.ask("CONFIG", "SET", "maxmemory", "1")
    nodes = make_nodes(own_redis.url)
    for node in nodes:
        assert "no memory left for writes (OOM)" in (await readiness(node, "broker"))["detail"]

    own_redis.ask("CONFIG", "SET", "maxmemory", "0")
    for node in nodes:
        await readiness(node, "ok")


async def test_a_message_whose_node_died_before_it_was_published_is_found(make_nodes: MakeNodes, redis: Redis) -> None:
    with FaultProxy(redis.port) as proxy:
        direct, behind = make_nodes(redis.url, f"redis://127.0.0.1:{proxy.port}")
        async with person(direct, "alice") as alice, person(behind, "bob") as bob:
            await alice.join("hall")
            await bob.join("hall")
            proxy.swallow_requests()
            await bob.say("hall", "my last words")
            behind.kill()

            assert [message["text"] for message in await messages(alice, 1)] == ["my last words"]


async def test_a_node_that_starts_without_redis_is_ready_when_redis_is(
    make_nodes: MakeNodes, tmp_path_factory: pytest.TempPathFactory, redis: Redis
) -> None:
    late = Redis(tmp_path_factory.mktemp("redis"))
    nodes = make_nodes(late.url)
    assert "Connection refused" in (await readiness(nodes[0], "broker"))["detail"]

    with late:
        for node in nodes:
            await readiness(node, "ok")
        async with person(nodes[0], "alice") as alice, person(nodes[1], "bob") as bob:
            await alice.join("hall")
            await bob.join("hall")
            await alice.say("hall", "Hello Bob!")
            assert len(await messages(bob, 1)) == 1


def refused_with(folder: Path, environment: dict[str, str]) -> str:
    status, log = hubbub_command(folder, "serve", "--port", "0", environment=environment).run()
    assert status != 0
    assert "Traceback" not in log
    return log


def test_a_node_of_another_database_does_not_start(
    make_nodes: MakeNodes, redis: Redis, postgres_server: Postgres, tmp_path: Path
) -> None:
    make_nodes(redis.url)
    other = postgres_server.create_database()
    try:
        log = refused_with(tmp_path, {"HUBBUB_DATABASE_URL": other, "HUBBUB_BROKER_URL": redis.url})
    finally:
        postgres_server.drop_database(other)

    assert "have another database" in log


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("redis://:c4n4ry@127.0.0.1:{port}/9000", "DB index is out of range"),
        ("postgresql://:c4n4ry@127.0.0.1:{port}", "broker_url: it does not begin with redis://"),
        ("redis://somebody:c4n4ry@127.0.0.1:{port}", "the user or password in broker_url is wrong"),
    ],
)
def test_a_redis_that_cannot_be_used_is_told_in_one_line(redis: Redis, tmp_path: Path, address: str, told: str) -> None:
    url = address.format(port=redis.port)
    log = refused_with(tmp_path, {"HUBBUB_DATABASE_URL": "none", "HUBBUB_BROKER_URL": url})

    assert told in log
    assert "c4n4ry" not in log
