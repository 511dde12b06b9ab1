"""Rooms with roles, through both clients, with a real server."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from hubbub.client import Client
from hubbub.errors import Conflict, Forbidden, NotFound
from hubbub.wire.base import Event
from hubbub.wire.members import Invited, Removed
from hubbub.wire.messages import SendMessage
from hubbub.wire.rooms import RoomEvent
from tests.client.node_program import driven
from tests.features.members.house import House, house

DEADLINE = 60.0
CODECS = ["json", "msgpack"]

E = TypeVar("E", bound=Event)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as built:
        yield built


@pytest.fixture(autouse=True)
async def deadline() -> AsyncIterator[None]:
    async with asyncio.timeout(DEADLINE):
        yield


def client(place: House, name: str, codec: str = "json") -> Client:
    return Client(f"{place.ws_url}/ws", token=name, codec=codec, first_wait=0.05, longest_wait=0.2)  # type: ignore[arg-type]


async def next_of(somebody: Client, kind: type[E]) -> E:
    async for event in somebody:
        if isinstance(event, kind):
            return event
    raise AssertionError(f"no {kind.__name__} came")


@pytest.mark.parametrize("codec", CODECS)
async def test_a_client_makes_a_private_room_and_decides_who_is_in_it(place: House, codec: str) -> None:
    async with client(place, "alice", codec) as alice, client(place, "bob", codec) as bob:
        plans = await alice.create("private", title="Plans", users=["bob"])
        invited = await next_of(bob, Invited)
        bobs = await bob.join(invited.room)
        assert (plans.view.name, plans.view.role, bobs.view.role) == ("Plans", "owner", "member")
        assert [(one.user, one.role) for one in await bobs.members()] == [("alice", "owner"), ("bob", "member")]

        await plans.set_role("bob", "moderator")
        await bobs.change(title="Better plans", slow=5)
        await plans.mute("bob", until=datetime.now(UTC) + timedelta(hours=1))
        with pytest.raises(Forbidden):
            await bobs.send("I am muted")
        await plans.mute("bob", on=False)
        await bobs.send("no more")
        with pytest.raises(Forbidden):
            await bobs.remove("alice")
        await plans.remove("bob")

        removed = await next_of(bob, Removed)
        assert (removed.reason, bobs.view.removed, bobs.view.name) == ("removed", "removed", "Better plans")
        (me,) = [one for one in bobs.view.members.list or [] if one.user == "bob"]
        assert (bobs.view.role, bobs.view.members.slow, me.role, me.muted) == ("moderator", 5, "moderator", None)
        with pytest.raises(Forbidden):
            await bob.join(plans.key)


@pytest.mark.parametrize("codec", CODECS)
async def test_a_client_moderates_a_public_room(place: House, codec: str) -> None:
    async with client(place, "alice", codec) as alice, client(place, "bob", codec) as bob:
        garden = await alice.create("public", "garden")
        bobs = await bob.join("garden")
        await garden.kick("bob")
        assert (await next_of(bob, Removed)).reason == "kicked"
        bobs = await bob.join("garden")
        assert bobs.view.removed is None
        await garden.ban("bob")
        assert (await next_of(bob, Removed)).reason == "banned"
        await garden.ban("bob", on=False)
        await bob.join("garden")
        with pytest.raises(Conflict):
            await bob.create("public", "garden")
        with pytest.raises(NotFound):
            await bob.direct("nobody-yet")


async def test_a_room_is_made_once_however_often_it_is_asked_for(place: House) -> None:
    async with client(place, "alice") as alice, client(place, "mallory") as mallory:
        first = await alice.create("private", title="Plans", key="the-key-of-alice")
        again = await alice.create("private", title="Plans", key="the-key-of-alice")
        other = await alice.create("private", title="Plans")
        theirs = await mallory.create("private", title="Plans", key="the-key-of-alice")
        garden = await alice.create("public", "garden", key="the-key-of-alice")

        assert first.key == again.key
        assert len({first.key, other.key, theirs.key}) == 3
        assert (await alice.create("public", "Garden", key="the-key-of-alice")).key == garden.key
        with pytest.raises(Conflict):
            await mallory.create("public", "garden", key="the-key-of-alice")


async def test_a_direct_room_is_one_for_both_and_survives_a_reconnect(place: House) -> None:
    async with client(place, "alice") as alice, client(place, "bob") as bob:
        alices, bobs = await asyncio.gather(alice.direct("bob"), bob.direct("alice"))
        assert alices.key == bobs.key
        assert {one.user for one in alices.view.members.list or []} == {"alice", "bob"}

        for connection in place.hub.node.services.fanout.connections.of_user("bob"):
            connection.close(1012, "")
        await alices.send("hello")
        while not bobs.messages:
            await anext(bob)
        assert [one.text for one in bobs.messages] == ["hello"]
        await bob.ask(SendMessage(room=bobs.key, text="hello yourself"))


async def test_leaving_a_room_gives_up_the_membership(place: House) -> None:
    async with client(place, "alice") as alice, client(place, "bob") as bob:
        plans = await alice.create("private", users=["bob"])
        bobs = await bob.join(plans.key)
        await bobs.leave_room()
        assert (await next_of(bob, Removed)).reason == "left"
        while (await next_of(alice, RoomEvent)).members[0].out != "left":  # type: ignore[index]
            pass
        assert [one.user for one in await plans.members()] == ["alice"]


@pytest.mark.parametrize("codec", CODECS)
async def test_a_typescript_program_makes_a_room_and_decides_who_is_in_it(
    folder: Path, place: House, codec: str
) -> None:
    bob = await place.enter("bob")
    async with driven(folder, f"{place.ws_url}/ws", codec, "alice") as alice:
        await alice.do("open")
        plans = await alice.do("create", {"kind": "private", "title": "Plans", "users": ["bob"]})
        room = plans["room"]
        assert (plans["role"], (await bob.join(room))["role"]) == ("owner", "member")
        await alice.do("send", room, "hello")
        await bob.expect("message", text="hello")
        await alice.do("setRole", room, "bob", "moderator")
        page = await alice.do("members", room)
        assert [(one["user"], one["role"]) for one in page["members"]] == [("alice", "owner"), ("bob", "moderator")]
        await alice.do("changeRoom", room, {"title": "Better plans"})
        await bob.expect("room", title="Better plans")
        await alice.do("mute", room, "bob")
        await alice.do("mute", room, "bob", {"on": False})
        await alice.do("remove", room, "bob")
        assert (await bob.expect("removed", room=room))["reason"] == "removed"
        direct = await alice.do("direct", ["bob"])
        assert {one["user"] for one in direct["members"]} == {"alice", "bob"}
        alice.tell("leaveRoom", room)
        assert (await alice.expect(type="removed"))["reason"] == "left"
