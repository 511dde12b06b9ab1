"""Who is online, over three nodes: they count people together, whatever happens to one of them."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.conftest import ENVIRONMENT
from tests.cluster.nodes import SECRET, Node, node
from tests.conftest import ServerFactory
from tests.people import Person, person
from tests.servers import Redis, WebServer

pytestmark = pytest.mark.slow(3)

LINGER = 3.0
SETTINGS = {
    **ENVIRONMENT,
    "HUBBUB_DATABASE_URL": "none",
    "HUBBUB_SECRET": SECRET,
    "HUBBUB_LINGER": str(LINGER),
}
GONE_WITHIN = 15.0


@pytest.fixture
async def here(own_redis: Redis) -> AsyncIterator[list[Node]]:
    """The first two nodes. A fault never happens to one of them alone, so they need no process of their own."""
    patient: dict[str, Any] = {"broker_timeout": 60, "linger": LINGER}
    async with node(own_redis.url, **patient) as first, node(own_redis.url, **patient) as second:
        yield [first, second]


@pytest.fixture
def third(serve: ServerFactory, own_redis: Redis, clock: dict[str, str]) -> WebServer:
    """A node that may be killed or frozen."""
    server = serve(environment={**SETTINGS, "HUBBUB_BROKER_URL": own_redis.url, **clock})
    # Under libfaketime an interpreter that ends may find one of its own locks locked.
    server.may_log_tracebacks = bool(clock)
    return server


@pytest.fixture
def clock() -> dict[str, str]:
    return {}


@pytest.fixture
def wrong_clock(clock: dict[str, str], faketime: Path) -> None:
    """The third node's clock is a minute ahead."""
    clock |= {"LD_PRELOAD": str(faketime), "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME": "+1m"}


@pytest.fixture
async def come(here: list[Node], third: WebServer) -> AsyncIterator[Callable[..., Any]]:
    async with AsyncExitStack() as stack:

        async def come(number: int, name: str, **query: Any) -> Person:
            server = here[number] if number < len(here) else third
            somebody = await stack.enter_async_context(person(server, name, **query))
            await somebody.join("hall")
            return somebody

        yield come


def told(somebody: Person) -> list[tuple[str, str, int]]:
    """Comings and goings of others."""
    return [
        (event["type"], event["user"], event["online"])
        for event in somebody.seen
        if event["type"] in {"join", "leave"} and event["user"] != somebody.key
    ]


def online(somebody: Person) -> list[str]:
    """Whom somebody sees in the room: what `joined` said, and who came and went since. `joined` may already contain an
    event that comes after it."""
    joined = somebody.of_type("joined")[-1]
    users = [user["user"] for user in joined["users"]]
    for event in somebody.seen[somebody.seen.index(joined) :]:
        if event["type"] == "join" and event["user"] not in users:
            users.append(event["user"])
        elif event["type"] == "leave" and event["user"] in users:
            users.remove(event["user"])
    return users


async def sees(somebody: Person, *users: str) -> None:
    async with asyncio.timeout(GONE_WITHIN + 5):
        while set(online(somebody)) != set(users):
            await somebody.next()


async def test_people_on_three_nodes_see_each_other_come_and_go(come: Callable[..., Any]) -> None:
    alice = await come(0, "alice")
    bob = await come(1, "bob")
    carol = await come(2, "carol")
    assert [user["user"] for user in carol.of_type("joined")[0]["users"]] == ["alice", "bob", "carol"]
    assert carol.of_type("joined")[0]["online"] == 3

    await sees(alice, "alice", "bob", "carol")
    await bob.ask({"type": "leave", "room": "hall"})
    await sees(alice, "alice", "carol")
    await carol.link.close()
    await sees(alice, "alice")

    assert told(alice) == [("join", "bob", 2), ("join", "carol", 3), ("leave", "bob", 2), ("leave", "carol", 1)]


async def test_somebody_with_tabs_on_two_nodes_is_there_once_and_goes_with_the_last(come: Callable[..., Any]) -> None:
    alice = await come(0, "alice")
    bob = await come(1, "bob")
    tab = await come(2, "bob", secret=bob.of_type("welcome")[0]["secret"])
    assert tab.of_type("joined")[0]["online"] == 2

    await bob.link.close()
    carol = await come(1, "carol")
    assert carol.of_type("joined")[0]["online"] == 3
    await tab.link.close()
    await sees(alice, "alice", "carol")

    assert told(alice) == [("join", "bob", 2), ("join", "carol", 3), ("leave", "bob", 2)]


@pytest.mark.slow(8)
@pytest.mark.usefixtures("wrong_clock")  # before `third`, which is asked for below
async def test_people_of_a_killed_node_go_together_and_once(third: WebServer, come: Callable[..., Any]) -> None:
    alice, bob = await come(0, "alice"), await come(1, "bob")
    lost = [await come(2, name) for name in ("carol", "dave", "eve")]
    await sees(alice, "alice", "bob", "carol", "dave", "eve")
    await sees(bob, "alice", "bob", "carol", "dave", "eve")
    began = asyncio.get_running_loop().time()

    third.kill()
    # Dave comes back elsewhere in time, and was never away.
    dave = await come(0, "dave", secret=lost[1].of_type("welcome")[0]["secret"])
    for somebody in (alice, bob, dave):
        await sees(somebody, "alice", "bob", "dave")

    assert asyncio.get_running_loop().time() - began < GONE_WITHIN
    for somebody in (alice, bob):
        gone = [event["user"] for event in somebody.of_type("leave")]
        assert sorted(gone) == ["carol", "eve"]


@pytest.mark.slow(8)
async def test_a_frozen_node_that_comes_back_shows_all_who_are_there(
    third: WebServer, come: Callable[..., Any]
) -> None:
    alice, bob, carol = await come(0, "alice"), await come(1, "bob"), await come(2, "carol")
    await sees(alice, "alice", "bob", "carol")

    third.signal(signal.SIGSTOP)
    try:
        await sees(alice, "alice", "bob")
        await bob.ask({"type": "leave", "room": "hall"})
        dave = await come(1, "dave")
    finally:
        third.signal(signal.SIGCONT)
    for somebody in (alice, dave, carol):
        await sees(somebody, "alice", "carol", "dave")

    assert told(alice) == [
        ("join", "bob", 2),
        ("join", "carol", 3),
        ("leave", "carol", 2),
        ("leave", "bob", 1),
        ("join", "dave", 2),
        ("join", "carol", 3),
    ]


@pytest.mark.slow(8)
async def test_a_node_that_restarts_is_not_noticed_by_the_others(third: WebServer, come: Callable[..., Any]) -> None:
    alice = await come(0, "alice")
    names = [f"guest-{number}" for number in range(30)]
    people = [await come(2, name) for name in names]
    await sees(alice, "alice", *names)
    before = len(told(alice))

    stopping = asyncio.create_task(asyncio.to_thread(third.stop))

    async def come_back(number: int, somebody: Person) -> Person:
        code, _ = await somebody.ended()
        assert code == 1012
        back: Person = await come(number % 2, names[number], secret=somebody.of_type("welcome")[0]["secret"])
        return back

    back = await asyncio.gather(*(come_back(number, somebody) for number, somebody in enumerate(people)))
    assert await stopping == 0
    await asyncio.to_thread(third.start)
    # The lease of the one that stopped has run out when somebody who was on no other node is gone.
    late = await come(2, "late")
    third.kill()
    async with asyncio.timeout(GONE_WITHIN):
        await alice.expect("leave", user="late")

    assert told(alice)[before:] == [("join", "late", 32), ("leave", "late", 31)]
    assert set(online(back[0])) <= {"alice", "late", *names}
    assert late.key == "late"


@pytest.mark.slow(8)
async def test_after_redis_was_away_those_are_told_of_who_came_or_went_and_no_others(
    come: Callable[..., Any], own_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The first two nodes are soon back, and need not wait long for each other. Nobody on the third one is asked.
    monkeypatch.setattr("hubbub.broker.redis_link.PAUSES", (0.05, 0.2))
    monkeypatch.setattr("hubbub.presence.replica.SETTLING", 4.0)
    alice, bob, carol = await come(0, "alice"), await come(1, "bob"), await come(2, "carol")
    for somebody in (alice, bob, carol):
        await sees(somebody, "alice", "bob", "carol")

    own_redis.kill()
    # What happens on a node is known there at once, and the last that was known of the others stays.
    dave = await come(0, "dave")
    await carol.ask({"type": "leave", "room": "hall"})
    for somebody in (alice, dave):
        await sees(somebody, "alice", "bob", "carol", "dave")
    own_redis.start()

    await sees(alice, "alice", "bob", "dave")
    await sees(bob, "alice", "bob", "dave")
    assert told(alice)[2:] == [("join", "dave", 4), ("leave", "carol", 3)]
    assert told(bob)[1:] == [("join", "dave", 4), ("leave", "carol", 3)]
