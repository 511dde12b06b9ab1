"""One suite for every presence: that of a single node, one Redis, and three that share the channels out."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import NoReturn

import pytest

from hubbub.broker.redis_address import parse_addresses
from hubbub.errors import Unavailable
from hubbub.presence.base import Presence
from hubbub.presence.crowd import NAMED_UP_TO
from hubbub.presence.local import LocalPresence
from hubbub.presence.redis import RedisPresence
from hubbub.wire.identity import User
from tests.patient import PATIENCE
from tests.presence.nodes import Heard, person
from tests.servers import MissingError, Redis
from tests.waiting import DEADLINE, eventually

HALL, ROOMS = "room:hall", [f"room:{number}" for number in range(12)]
ALICE, BOB = User("alice", "Alice"), User("bob", "Bob")


class Told(Heard):
    """Waits for what is told."""

    async def until(self, *events: tuple[str, str, int]) -> None:
        await eventually(lambda: self.events == list(events))


@pytest.fixture(scope="module")
def servers(
    tmp_path_factory: pytest.TempPathFactory, missing: Callable[[MissingError], NoReturn]
) -> Iterator[list[Redis]]:
    with ExitStack() as stack:
        try:
            started = [Redis(tmp_path_factory.mktemp("redis")) for _ in range(3)]
        except MissingError as error:
            missing(error)
        yield [stack.enter_context(server) for server in started]


def over(servers: list[Redis], *, namespace: str = "hubbub", timeout: float = PATIENCE) -> RedisPresence:
    addresses = parse_addresses(",".join(server.url for server in servers))
    return RedisPresence(addresses, linger=10.0, namespace=namespace, timeout=timeout)


@pytest.fixture(params=["local", "one Redis", "three"])
async def presence(request: pytest.FixtureRequest, servers: list[Redis]) -> Presence:
    for server in servers:
        server.empty()
    if request.param == "local":
        return LocalPresence()
    return over(servers if request.param == "three" else servers[:1])


@pytest.fixture
async def told(presence: Presence) -> AsyncIterator[Told]:
    told = Told()
    await presence.start(told)
    yield told
    await presence.stop()


def shown(presence: Presence, channel: str = HALL) -> list[str]:
    crowd = presence.crowd(channel)
    return [user.user for user in crowd.users()] if crowd is not None else []


async def test_comings_and_goings_are_told(presence: Presence, told: Told) -> None:
    presence.enter(HALL, ALICE)
    await presence.ask(HALL)
    presence.enter(HALL, BOB)
    await presence.ask(HALL)
    assert shown(presence) == ["alice", "bob"]
    presence.exit(HALL, BOB)
    await presence.ask(HALL)

    await told.until(("joined", "alice", 1), ("joined", "bob", 2), ("left", "bob", 1))
    assert shown(presence) == ["alice"]


async def test_the_last_one_leaves_nothing(presence: Presence, told: Told) -> None:
    presence.enter(HALL, ALICE)
    await presence.ask(HALL)
    presence.exit(HALL, ALICE)
    await presence.ask(HALL)

    assert shown(presence) == []
    await told.until(("joined", "alice", 1))


async def test_channels_have_nothing_to_do_with_each_other(presence: Presence, told: Told) -> None:
    for number, room in enumerate(ROOMS):
        presence.enter(room, person(number))
    for number, room in enumerate(ROOMS):
        await presence.ask(room)
        assert shown(presence, room) == [f"User-{number}"]


async def test_to_enter_again_changes_how_one_is_shown(presence: Presence, told: Told) -> None:
    presence.enter(HALL, ALICE)
    await presence.ask(HALL)
    presence.enter(HALL, User("alice", "Alice B."))
    await presence.ask(HALL)

    crowd = presence.crowd(HALL)
    assert crowd is not None
    assert [user.name for user in crowd.users()] == ["Alice B."]
    await told.until(("joined", "alice", 1), ("looks different", "alice", 1))

    presence.enter(HALL, User("alice", "Alice B.", color="#0b6b5e"))
    assert [user.color for user in (await presence.ask(HALL)).users()] == ["#0b6b5e"]
    await told.until(*[("joined", "alice", 1), ("looks different", "alice", 1), ("looks different", "alice", 1)])


async def test_above_a_hundred_there_is_a_count(presence: Presence, told: Told) -> None:
    for number in range(NAMED_UP_TO):
        presence.enter(HALL, person(number))
    await presence.ask(HALL)
    assert shown(presence) == [f"User-{number}" for number in range(NAMED_UP_TO)]
    told.take()

    presence.enter(HALL, ALICE)
    await presence.ask(HALL)
    assert len(shown(presence)) == 20
    presence.exit(HALL, ALICE)
    await eventually(lambda: len(shown(presence)) == NAMED_UP_TO)

    assert told.take() == [("counted", HALL, 0)] * 2
    presence.exit(HALL, person(50))
    await told.until(("left", "User-50", NAMED_UP_TO - 1))


async def test_people_are_listed_by_name_page_by_page(presence: Presence, told: Told) -> None:
    people = [User(f"key-{number:03}", f"{'Ärger' if number % 2 else 'bob'} {number:03}") for number in range(120)]
    for somebody in reversed(people):
        presence.enter(HALL, somebody)
    await presence.ask(HALL)
    by_name = sorted(people, key=lambda user: user.name)

    assert await listed(presence, 7) == await listed(presence, 500) == by_name

    for somebody in people[:100]:
        presence.exit(HALL, somebody)
    presence.enter(HALL, User("key-100", "Zoe"))
    await presence.ask(HALL)
    left = sorted([*(user.name for user in people[101:]), "Zoe"], key=str.lower)
    async with asyncio.timeout(DEADLINE):
        # Of a large channel others are told once a second.
        while [user.name for user in await listed(presence, 7)] != left:
            pass
    assert await presence.lists.counts([HALL, "room:empty"]) == [20, 0]

    for somebody in people[:101]:
        presence.enter(HALL, somebody)
    await presence.ask(HALL)
    async with asyncio.timeout(DEADLINE):
        while await listed(presence, 7) != by_name:
            pass


async def test_channels_with_somebody_are_listed(presence: Presence, told: Told) -> None:
    for room in ROOMS:
        presence.enter(room, ALICE)
    presence.enter(ROOMS[3], BOB)
    presence.exit(ROOMS[5], ALICE)
    presence.exit(ROOMS[3], ALICE)
    for room in ROOMS:
        await presence.ask(room)

    expected = sorted(set(ROOMS) - {ROOMS[5]})
    found = [await presence.lists.channels("", 4)]
    while len(found[-1]) == 4:
        found.append(await presence.lists.channels(found[-1][-1], 4))
    assert [channel for page in found for channel in page] == expected
    assert await presence.lists.channels("", 100) == expected


async def listed(presence: Presence, most: int) -> list[User]:
    """Everybody in the hall, read in pages of `most`."""
    users: list[User] = []
    after, page = "", [""] * most
    while len(page) == most:
        page = await presence.lists.places(HALL, after, most)
        users += await presence.lists.users(HALL, page)
        after = page[-1] if page else after
    return users


async def test_a_node_lists_what_others_have_and_its_own_people_without_redis(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        server = stack.enter_context(Redis(tmp_path))
        here, there = over([server]), over([server])
        await two(stack, here, there)
        here.enter(HALL, ALICE)
        there.enter(ROOMS[0], BOB)
        await asyncio.gather(here.ask(HALL), there.ask(ROOMS[0]))

        assert await here.lists.channels("", 10) == [ROOMS[0], HALL]
        assert await here.lists.counts([ROOMS[0], HALL]) == [1, 1]
        places = await here.lists.places(ROOMS[0], "", 10)
        assert await here.lists.users(ROOMS[0], places) == [BOB]

        server.stop()
        assert await here.lists.channels("", 10) == [HALL]
        assert await here.lists.counts([ROOMS[0], HALL]) == [None, 1]
        assert await listed(here, 10) == [ALICE]
        with pytest.raises(Unavailable):
            await here.lists.places(ROOMS[0], "", 10)


async def test_a_killed_nodes_people_are_listed_no_longer(servers: list[Redis]) -> None:
    async with AsyncExitStack() as stack:
        here, there = over(servers[:1], namespace="killed"), over(servers[:1], namespace="killed")
        await two(stack, here, there)
        for number in range(3):
            there.enter(ROOMS[number], person(number))
            await there.ask(ROOMS[number])
        server = servers[0]
        assert await here.lists.channels("", 10) == sorted(ROOMS[:3])
        await there.stop()
        for lease in server.ask("ZRANGE", "killed:presence:leases", 0, -1):
            if not lease.decode().startswith(next(iter(here._servers))._node):
                server.ask("ZADD", "killed:presence:leases", 1, lease)

        async with asyncio.timeout(DEADLINE):
            while await here.lists.channels("", 10):
                pass
        left = {key.decode() for key in server.ask("KEYS", "killed:presence:*")}
        assert not {key for key in left if "listed" in key or "channels" in key}


async def two(stack: AsyncExitStack, *presences: Presence) -> list[Told]:
    heard = []
    for presence in presences:
        heard.append(Told())
        await presence.start(heard[-1])
        stack.push_async_callback(presence.stop)
    return heard


async def test_two_nodes_hear_of_each_other_on_each_of_three_servers(servers: list[Redis]) -> None:
    for server in servers:
        server.empty()
    async with AsyncExitStack() as stack:
        here, there = over(servers), over(servers)
        told, _ = await two(stack, here, there)
        for room in ROOMS:
            here.enter(room, ALICE)
            await here.ask(room)
        told.take()
        for room in ROOMS:
            there.enter(room, BOB)
        await told.until(*[("joined", "bob", 2)] * len(ROOMS))

        assert all(shown(here, room) == ["alice", "bob"] for room in ROOMS)


async def test_a_newcomer_is_shown_all_however_much_is_to_be_told_first(servers: list[Redis]) -> None:
    servers[0].empty()
    async with AsyncExitStack() as stack:
        here, there = over(servers[:1]), over(servers[:1])
        await two(stack, here, there)
        here.enter(HALL, ALICE)
        await here.ask(HALL)
        for number in range(3000):
            there.enter(f"room:{number}", person(number))
        there.enter(HALL, BOB)

        assert [user.user for user in (await there.ask(HALL)).users()] == ["alice", "bob"]


async def test_a_node_asks_about_a_channel_in_which_it_has_nobody(servers: list[Redis]) -> None:
    servers[0].empty()
    async with AsyncExitStack() as stack:
        here, there = over(servers[:1]), over(servers[:1])
        await two(stack, here, there)
        assert (await there.ask(HALL)).online == 0
        here.enter(HALL, ALICE)
        here.enter(HALL, BOB)
        await here.ask(HALL)
        few = await there.ask(HALL)
        for number in range(NAMED_UP_TO):
            here.enter(HALL, person(number))
        await here.ask(HALL)
        many = await there.ask(HALL)

    assert (few.online, [user.name for user in few.users()]) == (2, ["Alice", "Bob"])
    assert (many.online, len(many.users())) == (NAMED_UP_TO + 2, 20)


async def test_nobody_is_guessed_to_be_online_or_not_while_redis_is_away(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        server = stack.enter_context(Redis(tmp_path))
        here = over([server])
        await two(stack, here)
        server.kill()
        with pytest.raises(Unavailable):
            await here.ask(HALL)


async def test_namespaces_keep_two_clusters_apart(servers: list[Redis]) -> None:
    servers[0].empty()
    async with AsyncExitStack() as stack:
        here, there = over(servers[:1], namespace="one"), over(servers[:1], namespace="two")
        await two(stack, here, there)
        here.enter(HALL, ALICE)
        there.enter(HALL, BOB)
        await here.ask(HALL)
        await there.ask(HALL)

        assert (shown(here), shown(there)) == (["alice"], ["bob"])


async def test_a_node_that_stops_leaves_its_people_to_come_back(servers: list[Redis]) -> None:
    servers[0].empty()
    async with AsyncExitStack() as stack:
        here, there = over(servers[:1]), over(servers[:1])
        told, _ = await two(stack, here, there)
        here.enter(HALL, ALICE)
        await here.ask(HALL)
        there.enter(HALL, BOB)
        there.enter(HALL, person(1))
        await told.until(("joined", "alice", 1), ("joined", "bob", 2), ("joined", "User-1", 3))

        there.exit(HALL, person(1))
        await there.stop()

        await told.until(("joined", "alice", 1), ("joined", "bob", 2), ("joined", "User-1", 3), ("left", "User-1", 2))
        assert shown(here) == ["alice", "bob"]


@pytest.mark.parametrize("trouble", ["away", "frozen", "without its scripts", "without memory"])
async def test_a_node_goes_on_alone_while_redis_is_in_trouble(tmp_path: Path, trouble: str) -> None:
    async with AsyncExitStack() as stack:
        server = stack.enter_context(Redis(tmp_path))
        here, there = over([server], timeout=0.5), over([server], timeout=0.5)
        told, _ = await two(stack, here, there)
        here.enter(HALL, ALICE)
        there.enter(HALL, BOB)
        await told.until(("joined", "alice", 1), ("joined", "bob", 2))
        await eventually(lambda: shown(there) == ["alice", "bob"])

        match trouble:
            case "away":
                server.kill()
            case "frozen":
                server.ask("CLIENT", "PAUSE", "2000", "ALL")
            case "without its scripts":
                server.ask("SCRIPT", "FLUSH")
            case _:
                server.ask("CONFIG", "SET", "maxmemory", "1")
        here.enter(HALL, person(1))
        async with asyncio.timeout(DEADLINE):
            await here.ask(HALL)
        assert shown(here) == ["alice", "bob", "User-1"]
        if trouble == "away":
            server.start()
        elif trouble == "without memory":
            server.ask("CONFIG", "SET", "maxmemory", "0")
        await eventually(lambda: shown(there) == ["alice", "bob", "User-1"])

        assert sorted(told.events) == [("joined", "User-1", 3), ("joined", "alice", 1), ("joined", "bob", 2)]


async def test_the_rights_that_the_documentation_names_are_enough(servers: list[Redis]) -> None:
    server = servers[1]
    server.empty()
    page = (Path(__file__).parents[2] / "docs" / "scaling.md").read_text()
    rights = page.split("ACL needs\n", 1)[1].split("`")[1].split()
    server.ask("ACL", "SETUSER", "node", "reset", "on", ">secret", *rights)
    address = server.url.replace("redis://", "redis://node:secret@")
    async with AsyncExitStack() as stack:
        here = RedisPresence(parse_addresses(address), linger=10.0, timeout=PATIENCE)
        (told,) = await two(stack, here)
        here.enter(HALL, ALICE)
        await told.until(("joined", "alice", 1))
        here.enter("room:other", BOB)
        here.exit("room:other", BOB)
        await here.ask("room:other")

        assert server.ask("ZCARD", "hubbub:presence:leases") == 1
