"""A guest's name belongs to one identity on all nodes, whatever happens to one of them or to Redis."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from hubbub.presence.lease import LEASE_LEAST
from tests.cluster.conftest import ENVIRONMENT, Serve
from tests.cluster.nodes import SECRET, Node, node
from tests.patient import PATIENCE, Patience
from tests.people import Person, Refused, person
from tests.servers import Redis, WebServer
from tests.waiting import eventually

LINGER = 1.0
FREE_WITHIN = LEASE_LEAST + 20

Come = Callable[..., Any]


@pytest.fixture
async def three(own_redis: Redis) -> AsyncIterator[list[Node]]:
    async with AsyncExitStack() as stack:
        patient: dict[str, Any] = {"linger": LINGER, "broker_timeout": PATIENCE}
        yield [await stack.enter_async_context(node(own_redis.url, **patient)) for _ in range(3)]


@pytest.fixture
def database(request: pytest.FixtureRequest) -> str:
    """Nothing is stored, unless a test asks for PostgreSQL."""
    return str(request.getfixturevalue("postgres")) if getattr(request, "param", None) else "none"


@pytest.fixture
def processes(serve_patiently: Serve, own_redis: Redis, database: str) -> list[WebServer]:
    environment = {
        **ENVIRONMENT,
        "HUBBUB_DATABASE_URL": database,
        "HUBBUB_SECRET": SECRET,
        "HUBBUB_LINGER": str(LINGER),
        "HUBBUB_BROKER_URL": own_redis.url,
    }
    return [serve_patiently(environment) for _ in range(2)]


@pytest.fixture
async def come() -> AsyncIterator[Come]:
    async with AsyncExitStack() as stack:

        async def come(server: Any, name: str, **query: Any) -> Person:
            return await stack.enter_async_context(person(server, name, **query))

        yield come


def secret_of(somebody: Person) -> str:
    return str(somebody.of_type("welcome")[0]["secret"])


def held_by(redis: Redis, name: str) -> int:
    """How many hold a name."""
    return int(redis.ask("SCARD", f"hubbub:names:held:name:{name}"))


async def is_refused(come: Come, server: Any, name: str, **query: Any) -> bool:
    try:
        await come(server, name, **query)
    except Refused as refused:
        return refused.status == 409
    return False


async def come_when_free(come: Come, server: Any, name: str) -> Person:
    came: list[Person] = []

    async def comes() -> bool:
        try:
            came.append(await come(server, name))
        except Refused as refused:
            if refused.status != 409:
                raise
        return bool(came)

    await eventually(comes, deadline=FREE_WITHIN)
    return came[0]


@pytest.mark.parametrize("other", ["alice", "ALICE", "ａｌｉｃｅ"])
async def test_a_name_in_use_on_one_node_is_refused_on_the_others(three: list[Node], come: Come, other: str) -> None:
    await come(three[0], "alice")

    assert await is_refused(come, three[1], other)
    assert await is_refused(come, three[2], other)
    assert (await come(three[1], "bob")).key == "bob"


async def test_of_guests_who_come_to_all_nodes_at_once_one_gets_the_name(three: list[Node], come: Come) -> None:
    for number in range(5):
        name = f"alice{number}"
        refused = await asyncio.gather(*(is_refused(come, server, name) for server in three))
        assert sorted(refused) == [False, True, True]


async def test_the_same_guest_is_on_several_nodes_and_keeps_the_name_until_the_last_has_left(
    three: list[Node], come: Come
) -> None:
    phone = await come(three[0], "alice")
    laptop = await come(three[1], "alice", secret=secret_of(phone))
    assert laptop.key == "alice"

    await phone.link.close()
    assert await is_refused(come, three[2], "alice")
    await laptop.link.close()
    assert (await come_when_free(come, three[2], "alice")).key == "alice"


async def test_a_guest_whose_link_broke_keeps_the_name_on_all_nodes(three: list[Node], come: Come) -> None:
    alice = await come(three[0], "alice")
    alice.vanish()

    assert await is_refused(come, three[1], "alice")
    assert (await come(three[1], "alice", secret=secret_of(alice))).key == "alice"


async def test_a_refused_guest_holds_nothing(three: list[Node], come: Come, own_redis: Redis) -> None:
    alice = await come(three[0], "alice")
    assert await is_refused(come, three[1], "alice")
    await alice.link.close()
    await (await come_when_free(come, three[1], "alice")).link.close()
    await (await come_when_free(come, three[2], "alice")).link.close()

    await eventually(lambda: not own_redis.ask("KEYS", "hubbub:names:held:*"))


async def test_without_redis_guests_come_in_quickly_and_each_node_knows_its_own_names(
    three: list[Node], come: Come, own_redis: Redis, patience: Patience
) -> None:
    await come(three[0], "alice")
    own_redis.signal(signal.SIGSTOP)
    try:
        with patience.suspended():
            began = asyncio.get_running_loop().time()
            assert (await come(three[1], "bob")).key == "bob"
            assert asyncio.get_running_loop().time() - began < PATIENCE / 2
            assert await is_refused(come, three[1], "bob")
    finally:
        own_redis.signal(signal.SIGCONT)
    own_redis.kill()
    assert (await come(three[2], "carol")).key == "carol"
    assert await is_refused(come, three[0], "alice")


@pytest.mark.parametrize("happens", ["emptied", "restarted"])
async def test_nodes_tell_redis_their_names_again_after_it_lost_them(
    three: list[Node], come: Come, own_redis: Redis, happens: str
) -> None:
    for one, name in zip(three, ("alice", "bob", "carol"), strict=True):
        await come(one, name)

    if happens == "emptied":
        own_redis.empty()
    else:
        own_redis.kill()
        own_redis.start()
    await eventually(lambda: len(own_redis.ask("KEYS", "hubbub:names:held:name:*")) == 3)

    assert await is_refused(come, three[2], "alice")
    assert await is_refused(come, three[0], "bob")


@pytest.mark.slow(10)
async def test_names_of_a_killed_node_become_free_when_its_lease_has_run_out(
    processes: list[WebServer], come: Come
) -> None:
    alice = await come(processes[0], "alice")
    bob = await come(processes[0], "bob")
    processes[0].kill()

    assert await is_refused(come, processes[1], "bob")
    assert (await come(processes[1], "alice", secret=secret_of(alice))).key == "alice"
    late = await come_when_free(come, processes[1], "bob")
    assert secret_of(late) != secret_of(bob)
    assert await is_refused(come, processes[1], "alice")


@pytest.mark.parametrize("database", ["PostgreSQL"], indirect=True)
async def test_the_owner_of_a_key_gets_in_while_a_guest_of_another_node_has_the_same_name(
    processes: list[WebServer], come: Come
) -> None:
    alice = await come(processes[0], "alice")
    await alice.join("hall")
    assert (await alice.say("hall", "this key is mine"))["type"] == "ack"
    await alice.link.close()
    namesake = await come_when_free(come, processes[1], "alice")

    assert (await come(processes[0], "alice", secret=secret_of(alice))).key == "alice"
    assert namesake.key.startswith("alice-")
    assert await is_refused(come, processes[0], "alice")


@pytest.mark.slow(15)
async def test_a_node_that_was_frozen_holds_its_names_again(
    processes: list[WebServer], come: Come, own_redis: Redis
) -> None:
    await come(processes[0], "alice")
    await come(processes[0], "bob")
    processes[0].signal(signal.SIGSTOP)
    try:
        bob = await come_when_free(come, processes[1], "bob")
    finally:
        processes[0].signal(signal.SIGCONT)

    await eventually(lambda: held_by(own_redis, "bob") == 2)
    assert await is_refused(come, processes[1], "alice")
    await bob.link.close()
    # The one who was there first still has the name.
    assert await is_refused(come, processes[1], "bob")
