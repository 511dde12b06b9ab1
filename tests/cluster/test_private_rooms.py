"""Private rooms on several nodes: who is removed on one node gets nothing more on any of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from hubbub.features.access.feature import AccessFeature
from hubbub.features.rooms.feature import RoomsFeature
from tests.cluster.nodes import Node, node
from tests.fault_proxy import FaultProxy
from tests.people import Person, person
from tests.servers import Redis
from tests.waiting import eventually


@pytest.fixture
async def nodes(postgres: str, redis: Redis) -> AsyncIterator[list[Node]]:
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(node(redis.url, database=postgres, accounts=True, broker_timeout=20))
            for _ in range(2)
        ]


@asynccontextmanager
async def private_room(nodes: list[Node], *names: str) -> AsyncIterator[tuple[str, list[Person]]]:
    """A room of the first one's, with all others in it. The people are spread over the nodes."""
    async with AsyncExitStack() as stack:
        people = [
            await stack.enter_async_context(person(nodes[place % len(nodes)], user=name))
            for place, name in enumerate(names)
        ]
        owner, *others = people
        room: str = (await owner.ask({"type": "create", "kind": "private", "title": "Plans"}))["room"]
        for somebody in others:
            assert (await owner.ask({"type": "invite", "room": room, "user": somebody.key}))["type"] == "ack"
            assert (await somebody.join(room))["type"] == "joined"
        yield room, people


async def test_who_is_removed_on_one_node_gets_nothing_after_that_on_another(nodes: list[Node]) -> None:
    async with private_room(nodes, "alice", "bob", "carol", "dave") as (room, (alice, bob, carol, dave)):
        stop = asyncio.Event()

        async def talk(somebody: Person) -> None:
            while not stop.is_set():
                assert (await somebody.say(room, "busy"))["type"] == "ack"

        talking = [asyncio.ensure_future(talk(one)) for one in (carol, dave)]
        try:
            await bob.hear(20)
            removed = await alice.ask({"type": "remove", "room": room, "user": "bob"})
            for number in range(20):
                await alice.say(room, f"after {number}")
            gone = await bob.expect("removed", room=room)
        finally:
            stop.set()
            await asyncio.gather(*talking)
        await bob.catch_up()
        await dave.catch_up()

        assert gone["reason"] == "removed"
        assert bob.seen.index(gone) == max(place for place, event in enumerate(bob.seen) if event.get("room") == room)
        assert max(event["rev"] for event in bob.of_type("message")) < removed["rev"]
        # On a busy machine a few come by `sync`.
        revs: list[int] = []
        for event in dave.seen:
            if event["type"] in {"message", "room", "sync"}:
                revs += range(event.get("since", event["rev"] - 1) + 1, event["rev"] + 1)
        assert revs == list(range(revs[0], revs[0] + len(revs)))
        refused = await bob.say(room, "still here?")
        assert (refused["type"], refused["code"]) == ("error", "forbidden")
        assert (await bob.join(room))["code"] == "forbidden"


async def test_a_removal_reaches_three_nodes_also_while_redis_is_dead(own_redis: Redis, postgres: str) -> None:
    async with AsyncExitStack() as stack:
        three = [
            await stack.enter_async_context(node(own_redis.url, database=postgres, accounts=True, broker_timeout=1))
            for _ in range(3)
        ]
        async with private_room(three, "alice", "bob", "carol") as (room, (alice, bob, carol)):
            devices = [bob, *[await stack.enter_async_context(person(one, user="bob")) for one in (three[0], three[2])]]
            for device in devices[1:]:
                assert (await device.join(room))["type"] == "joined"
            own_redis.kill()

            removed = await alice.ask({"type": "remove", "room": room, "user": "bob"})
            for number in range(5):
                await alice.say(room, f"after {number}")
            for device in devices:
                await device.gather("removed", 1)
            await carol.expect("sync", room=room)

            for device in devices:
                await device.catch_up()
                about = [event for event in device.seen if event.get("room") == room]
                assert about[-1]["type"] == "removed"
                assert all(event.get("rev", 0) < removed["rev"] for event in about)
                assert (await device.say(room, "still here?"))["code"] == "forbidden"


async def test_a_send_is_refused_also_where_the_nodes_memory_is_older_than_the_removal(nodes: list[Node]) -> None:
    async with private_room(nodes, "alice", "bob") as (room, (alice, bob)):
        # As if the removal were still on its way to this node.
        stale = nodes[1].hub.node.feature(RoomsFeature)
        nodes[1].hub.node.sequencer.before_delivery = None
        await alice.ask({"type": "remove", "room": room, "user": "bob"})

        assert stale.rooms.access.at(room) is not None
        refused = await bob.say(room, "too late")

    assert (refused["type"], refused["code"]) == ("error", "forbidden")


@pytest.mark.parametrize("redis_is", ["alive", "dead"])
async def test_a_node_that_cannot_hear_who_was_removed_holds_private_rooms_back(
    own_redis: Redis, postgres: str, monkeypatch: pytest.MonkeyPatch, redis_is: str
) -> None:
    options: dict[str, Any] = {
        "accounts": True,
        "broker_timeout": 1 if redis_is == "dead" else 20,
        "database_timeout": 2,
    }
    async with AsyncExitStack() as stack:
        proxy = stack.enter_context(FaultProxy(urlsplit(postgres).port or 5432))
        near = await stack.enter_async_context(node(own_redis.url, database=postgres, **options))
        far = await stack.enter_async_context(node(own_redis.url, database=proxy.before(postgres), **options))
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=far.url, trust_env=False))
        people = await stack.enter_async_context(private_room([near, far], "alice", "bob", "amy", "carol"))
        room, (alice, bob, amy, carol) = people
        for one in (alice, bob, carol):
            assert (await one.join("hall"))["type"] == "joined"
        proxy.freeze()
        changes = far.hub.node.feature(AccessFeature).changes
        monkeypatch.setattr(changes, "_patience", 1.0)
        await eventually(lambda: far.hub.node.feature(RoomsFeature).rooms.access.is_behind)

        if redis_is == "dead":
            own_redis.kill()
        await alice.say(room, "between us")
        await alice.say("hall", "to everybody")
        if redis_is == "alive":
            await carol.expect("message", room="hall")
        assert (await carol.join(room))["code"] == "unavailable"
        answer = await http.get(f"/api/v1/rooms/{room}/online", params={"user": "carol"})
        health = await http.get("/health/ready")
        await alice.ask({"type": "remove", "room": room, "user": "bob"})
        await amy.expect("room", room=room)
        await alice.say(room, "without bob")
        for one in (bob, carol):
            await one.catch_up()
            assert [event for event in one.of_type("message") if event["room"] == room] == []
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert (health.status_code, health.json()["private_rooms"]) == (503, "held back")

        monkeypatch.undo()
        proxy.thaw()
        await bob.gather("removed", 1)
        await eventually(lambda: not far.hub.node.feature(RoomsFeature).rooms.access.is_behind)
        while messages_in(room, carol) != ["between us", "without bob"]:
            await carol.next()
        await bob.catch_up()
        assert "without bob" not in messages_in(room, bob)
        assert bob.seen.index(bob.of_type("removed")[0]) == max(
            place for place, event in enumerate(bob.seen) if event.get("room") == room
        )


def messages_in(room: str, somebody: Person) -> list[str]:
    """Those that came one by one, and those of a `sync`."""
    rows = [
        row
        for event in somebody.seen
        for row in ([event] if event["type"] == "message" else event.get("messages", []))
        if row["room"] == room
    ]
    return list(dict.fromkeys(row["text"] for row in rows))


async def test_a_guest_who_has_said_nothing_is_invited_and_banned_from_another_node(
    redis: Redis, postgres: str
) -> None:
    async with AsyncExitStack() as stack:
        accounts = await stack.enter_async_context(node(redis.url, database=postgres, accounts=True, broker_timeout=20))
        guests = await stack.enter_async_context(node(redis.url, database=postgres, broker_timeout=20))
        alice = await stack.enter_async_context(person(accounts, user="alice"))
        gus = await stack.enter_async_context(person(guests, "gus"))

        room = (await alice.ask({"type": "create", "kind": "private", "users": [gus.key]}))["room"]
        assert (await gus.expect("invited"))["room"] == room
        assert (await gus.join(room))["type"] == "joined"
        assert (await alice.ask({"type": "ban", "room": room, "user": gus.key}))["type"] == "ack"
        await gus.expect("removed", room=room)
        assert (await gus.join(room))["code"] == "forbidden"
        assert (await alice.ask({"type": "direct", "users": ["nobody"]}))["code"] == "not_found"
