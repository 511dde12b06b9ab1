"""Three nodes of which one has a bad line to Redis or PostgreSQL, or whose Redis misbehaves."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.cluster.nodes import Node, node
from tests.cluster.views import messages, shown
from tests.encrypted_redis import Certificates, encrypted_redis
from tests.fault_proxy import FaultProxy
from tests.patient import PATIENCE
from tests.people import Person, Refused, person
from tests.ports import free_port
from tests.servers import Redis

pytestmark = pytest.mark.slow(3)

NAMES = ("alice", "bob", "carol")
SECOND_NAMES = ("dave", "erin", "frank")
LARGE: dict[str, Any] = {"text": "😀" * 4000, "data": {"more": "x" * 4000}}
"""20 KB."""
TOO_MUCH = "overcoming of output buffer limits"
"""What Redis logs when it cuts a client that has too much to read."""
MUCH_LONGER = 60.0


def a_node(database: str, broker: str, **timeouts: float) -> AbstractAsyncContextManager[Node]:
    """A patient one, except for these settings."""
    settings: dict[str, Any] = {"broker_timeout": PATIENCE, "database_timeout": PATIENCE, **timeouts}
    return node(broker, database=database, **settings)


@asynccontextmanager
async def in_the_hall(
    *made: AbstractAsyncContextManager[Node], names: Sequence[str] = NAMES
) -> AsyncIterator[list[Person]]:
    """One person on each node, or more if there are more names, all in one room."""
    async with AsyncExitStack() as stack:
        nodes = [await stack.enter_async_context(one) for one in made]
        people = [await stack.enter_async_context(person(one, name)) for one, name in zip(cycle(nodes), names)]
        for somebody in people:
            await somebody.join("hall")
        yield people


@pytest.fixture
def line_to_redis(redis: Redis) -> Iterator[FaultProxy]:
    with FaultProxy(redis.port) as proxy:
        yield proxy


@pytest.fixture
def line_to_postgres(postgres: str) -> Iterator[FaultProxy]:
    with FaultProxy(urlsplit(postgres).port or 5432) as proxy:
        yield proxy


async def say_until_acked(somebody: Person, text: str, /, **more: Any) -> dict[str, Any]:
    frame = {"type": "message", "room": "hall", "text": text, "key": f"the-key-of-{text}", **more}
    async with asyncio.timeout(MUCH_LONGER):
        while (answer := await somebody.ask(frame))["type"] != "ack":
            assert answer["code"] == "unavailable"
            await asyncio.sleep(answer["retry_after"] / 1000)
    return answer


async def all_have(people: list[Person], number: int) -> None:
    """Each of them gets the same messages, once and in order."""
    views = [await messages(somebody, number) for somebody in people]
    assert [message["rev"] for message in views[0]] == list(range(1, number + 1))
    texts = [message["text"] for message in views[0]]
    assert [[message["text"] for message in view] for view in views] == [texts] * len(people)


def knows(somebody: Person) -> set[str]:
    """Who was in the room when somebody joined, or came later."""
    (joined,) = somebody.of_type("joined")
    return {user["user"] for user in [*joined["users"], *somebody.of_type("join")]}


async def test_what_comes_late_on_one_node_s_line_comes_once_and_in_order(
    postgres: str, redis: Redis, line_to_redis: FaultProxy
) -> None:
    late = a_node(postgres, f"redis://127.0.0.1:{line_to_redis.port}")
    async with in_the_hall(a_node(postgres, redis.url), a_node(postgres, redis.url), late) as people:
        line_to_redis.delay = 0.2
        for number in range(10):
            for somebody, name in zip(people, NAMES, strict=True):
                await somebody.say("hall", f"{name} {number}")
        # This is not stored, so it comes after all publications before it, however late.
        await people[0].send({"type": "typing", "room": "hall"})
        await people[2].expect("typing", user="alice")
        await people[2].send({"type": "typing", "room": "hall"})
        await people[0].expect("typing", user="carol")

        await all_have(people, 30)


@pytest.mark.parametrize("fault", ["cut", "freeze", "swallow_requests", "swallow_answers"])
async def test_a_node_whose_line_to_the_database_fails_is_unavailable_and_no_other_one_is(
    postgres: str, redis: Redis, line_to_postgres: FaultProxy, fault: str
) -> None:
    behind = a_node(line_to_postgres.before(postgres), redis.url, database_timeout=4)
    async with in_the_hall(behind, a_node(postgres, redis.url), a_node(postgres, redis.url)) as people:
        getattr(line_to_postgres, fault)()
        saying = asyncio.create_task(say_until_acked(people[0], "alice"))
        for number in range(5):
            assert (await people[1].say("hall", f"bob {number}"))["type"] == "ack"
            assert (await people[2].say("hall", f"carol {number}"))["type"] == "ack"
        line_to_postgres.thaw()
        line_to_postgres.swallow(on=False)
        await saying

        await all_have(people, 11)


async def test_a_message_whose_ack_was_lost_is_said_again_on_another_node(postgres: str, redis: Redis) -> None:
    async with AsyncExitStack() as stack:
        nodes = [await stack.enter_async_context(a_node(postgres, redis.url)) for _ in range(3)]
        bob = await stack.enter_async_context(person(nodes[2], "bob"))
        await bob.join("hall")
        frame = {"type": "message", "room": "hall", "text": "Hello Bob!", "key": "the-key-of-hello"}
        alice = await stack.enter_async_context(person(nodes[0], "alice"))
        secret = alice.of_type("welcome")[0]["secret"]
        await alice.join("hall")
        await alice.send({**frame, "id": "1"})
        await shown(bob, text="Hello Bob!")
        alice.vanish()

        alice = await stack.enter_async_context(person(nodes[1], "alice", secret=secret))
        await alice.join("hall")
        again = await alice.ask(frame)
        other = await alice.ask({**frame, "text": "Goodbye Bob!"})
        await alice.say("hall", "end")

        assert (again["type"], again["seq"], again["rev"]) == ("ack", 1, 1)
        assert (other["type"], other["code"]) == ("error", "conflict")
        assert [row["text"] for row in await messages(bob, 2)] == ["Hello Bob!", "end"]


async def test_another_redis_in_the_place_of_the_first_takes_nothing_from_three_nodes(
    postgres: str, own_redis: Redis, line_to_redis: FaultProxy
) -> None:
    address = f"redis://127.0.0.1:{line_to_redis.port}"
    async with in_the_hall(*(a_node(postgres, address) for _ in NAMES)) as people:
        await people[0].say("hall", "before")
        line_to_redis.lead_to(own_redis.port)
        for somebody, name in zip(people, NAMES, strict=True):
            await say_until_acked(somebody, name)
        await all_have(people, 4)
        for somebody in people[:2]:
            while "carol" not in knows(somebody):
                await somebody.next()

        await people[2].ask({"type": "leave", "room": "hall"})
        for somebody in people[:2]:
            await somebody.expect("leave", user="carol", online=2)
        assert {(event["type"], event["user"]) for event in people[0].seen if event["type"] == "leave"} == {
            ("leave", "carol")
        }


def pause(server: Redis) -> None:
    server.ask("CLIENT", "PAUSE", 2500, "ALL")


def cut_subscribers(server: Redis) -> None:
    server.ask("CLIENT", "KILL", "TYPE", "pubsub")


@pytest.mark.parametrize("misbehave", [pause, cut_subscribers])
async def test_a_redis_that_is_paused_or_cuts_subscribers_keeps_nothing_from_three_nodes(
    postgres: str, own_redis: Redis, misbehave: Callable[[Redis], None]
) -> None:
    async with in_the_hall(*(a_node(postgres, own_redis.url, broker_timeout=1) for _ in NAMES)) as people:
        for number in range(3):
            await asyncio.to_thread(misbehave, own_redis)
            for somebody, name in zip(people, NAMES, strict=True):
                await somebody.say("hall", f"{name} {number}")
            await all_have(people, 3 * (number + 1))


@pytest.mark.slow(6)
async def test_a_redis_that_cuts_subscribers_with_too_much_to_read_keeps_nothing_from_anybody(
    postgres: str, own_redis: Redis
) -> None:
    # Redis writes to a subscriber at the end of a turn. It keeps up to 16 KB without counting them.
    own_redis.ask("CONFIG", "SET", "client-output-buffer-limit", "pubsub 8kb 0 0")
    names = (*NAMES, *SECOND_NAMES)
    async with in_the_hall(*(a_node(postgres, own_redis.url) for _ in NAMES), names=names) as people:

        async def talk(somebody: Person, name: str) -> None:
            await say_until_acked(somebody, f"{name}-{turn}", **LARGE)
            for number in range(3):
                await say_until_acked(somebody, f"{name}-{turn}-{number}")

        for turn in range(2):
            cuts = own_redis.log.count(TOO_MUCH)
            await asyncio.gather(*(talk(somebody, name) for somebody, name in zip(people, names, strict=True)))
            await all_have(people, 4 * len(people) * (turn + 1))
            # What is not stored arrives, so all are subscribed again.
            for somebody, name in ((people[0], "bob"), (people[1], "carol"), (people[2], "alice")):
                await people[NAMES.index(name)].send({"type": "typing", "room": "hall"})
                await somebody.expect("typing", user=name)
            assert own_redis.log.count(TOO_MUCH) - cuts >= 2


async def test_presence_and_names_work_over_tls(tmp_path: Path, redis: Redis) -> None:
    files, port = Certificates(tmp_path), free_port()
    async with AsyncExitStack() as stack:
        stack.enter_context(encrypted_redis(tmp_path, files, port))
        url = f"rediss://127.0.0.1:{port}?ssl_ca_certs={files.ca}"
        nodes = [await stack.enter_async_context(a_node("none", url)) for _ in range(3)]
        alice = await stack.enter_async_context(person(nodes[0], "alice"))
        bob = await stack.enter_async_context(person(nodes[1], "bob"))
        await alice.join("hall")
        await bob.join("hall")
        await alice.expect("join", user="bob", online=2)
        with pytest.raises(Refused, match="409"):
            await stack.enter_async_context(person(nodes[2], "alice"))
