"""Rooms whose people the application knows, from its own tables."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from hubbub import ConfigurationError, Conflict, Hubbub, User
from hubbub.accounts.policies import Action
from hubbub.features.rooms.application_roles import LASTS
from hubbub.features.rooms.feature import RoomsFeature
from tests.features.members.house import House, code_of, do, house
from tests.waiting import eventually


class Tables:
    def __init__(self) -> None:
        self.roles: dict[tuple[str, str], Any] = {}
        self.asked = 0
        self.fails: Callable[[], Awaitable[None]] | None = None

    async def membership(self, user: User, room: str) -> Any:
        self.asked += 1
        if self.fails is not None:
            await self.fails()
        return self.roles.get((user.key, room))


async def hang() -> None:
    await asyncio.Event().wait()


async def fail() -> None:
    raise RuntimeError("password=hunter2 in a traceback")


@pytest.fixture
def tables() -> Tables:
    tables = Tables()
    tables.roles = {("alice", "item:1"): "owner", ("bob", "item:1"): "member", ("carol", "item:1"): "moderator"}
    return tables


@pytest.fixture
async def place(tmp_path: Path, tables: Tables) -> AsyncIterator[House]:
    async with house(tmp_path, {"hook_timeout": 0.5}, membership=tables.membership) as built:
        yield built


async def test_only_whom_the_application_knows_may_know_of_a_room(place: House, tables: Tables) -> None:
    alice, mallory = await place.enter("alice"), await place.enter("mallory")
    admin, guest = await place.enter("boss"), await place.enter("gus", guest=True)

    assert (await alice.join("Item:1"))["role"] == "owner"
    await do(alice, "message", "item:1", text="hello")
    refused = [await one.ask({"type": "join", "room": "item:1"}) for one in (mallory, admin, guest)]
    nowhere = await mallory.ask({"type": "join", "room": "item:2"})

    assert {one["code"] for one in refused} == {nowhere["code"]} == {"forbidden"}
    assert refused[0]["message"].replace("item:1", "item:2") == nowhere["message"]
    for path in ("messages", "members", "online"):
        assert (await place.get(f"/api/v1/rooms/item:1/{path}", "mallory")).status_code == 403
        assert (await place.get(f"/api/v1/rooms/ITEM:1/{path}", "bob")).status_code == 200
    assert (await place.post("/api/v1/rooms/item:1/messages", "mallory", text="hi")).status_code == 403
    assert (await place.post("/api/v1/rooms/item:1/messages", "bob", text="hi")).status_code == 201
    listed = {name: (await place.get("/api/v1/rooms", name)).json()["rooms"] for name in ("bob", "mallory", "boss")}
    assert [one["room"] for one in listed["bob"]] == ["Item:1"]
    assert listed["mallory"] == listed["boss"] == []


async def test_messages_ask_nothing(place: House, tables: Tables) -> None:
    alice, bob = await place.enter("alice"), await place.enter("bob")
    for one in (alice, bob):
        await one.join("item:1")
    asked = tables.asked

    for number in range(20):
        await do(alice, "message", "item:1", text=str(number))
        await do(bob, "react", "item:1", seq=1, emoji="👍")

    assert (asked, tables.asked) == (2, 2)


async def test_the_applications_roles_decide_who_may_do_what(place: House, tables: Tables) -> None:
    alice, bob, carol = [await place.enter(name) for name in ("alice", "bob", "carol")]
    for one in (alice, bob, carol):
        await one.join("item:1")

    assert await code_of(bob, "change_room", "item:1", title="mine") == "forbidden"
    await do(carol, "change_room", "item:1", title="Ours", slow=3600)
    assert await code_of(carol, "change_room", "item:1", archived=True) == "forbidden"
    assert await code_of(carol, "ban", "item:1", user="alice") == "forbidden"
    assert await code_of(bob, "mute", "item:1", user="carol") == "forbidden"
    # Moderators are not slowed down, members are.
    for _ in range(2):
        await do(carol, "message", "item:1", text="quick")
    await do(bob, "message", "item:1", text="once")
    assert await code_of(bob, "message", "item:1", text="twice") == "rate_limited"
    await do(alice, "mute", "item:1", user="bob")
    assert await code_of(bob, "message", "item:1", text="muted") == "forbidden"
    # Who is what is for the application to say.
    for type, more in (("invite", {"user": "mallory"}), ("set_role", {"user": "bob", "role": "owner"})):
        assert await code_of(alice, type, "item:1", **more) == "forbidden"
    assert await code_of(bob, "leave_room", "item:1") == "forbidden"
    with pytest.raises(Conflict):
        await place.hub.rooms("item:1").set_role("bob", "owner")


async def test_who_is_taken_out_of_the_tables_is_cut_off_when_the_application_says_so(
    place: House, tables: Tables
) -> None:
    alice, bob = await place.enter("alice"), await place.enter("bob")
    phone = await place.enter("bob")
    for one in (alice, bob, phone):
        await one.join("item:1")
    del tables.roles["bob", "item:1"]

    await place.hub.rooms("Item:1").remove("bob")
    await do(alice, "message", "item:1", text="gone?")
    for one in (bob, phone):
        assert (await one.expect("removed"))["reason"] == "removed"
        await one.catch_up()
        assert one.texts == []
    assert await code_of(bob, "message", "item:1", text="still here") == "forbidden"
    assert (await bob.join("item:1"))["code"] == "forbidden"
    await do(alice, "message", "item:1", text="I stay")

    tables.roles["bob", "item:1"] = "member"
    await place.hub.rooms("item:1").invite("bob")
    assert (await bob.join("item:1"))["type"] == "joined"


async def test_nothing_reaches_anybody_while_the_application_is_asked_again(place: House, tables: Tables) -> None:
    alice, bob = await place.enter("alice"), await place.enter("bob")
    for one in (alice, bob):
        await one.join("item:1")
    answering, asked = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        asked.set()
        await answering.wait()

    tables.fails = wait
    del tables.roles["bob", "item:1"]
    await place.hub.rooms("item:1").refresh_access("bob")
    await asked.wait()
    await do(alice, "message", "item:1", text="a secret")
    answering.set()
    await bob.expect("removed")
    await bob.catch_up()
    assert bob.texts == []

    # Who stays gets what was held back.
    answering.clear()
    asked.clear()
    await place.hub.rooms("item:1").refresh_access()
    await asked.wait()
    place_of_ack = asyncio.ensure_future(alice.ask({"type": "message", "room": "item:1", "text": "later"}))
    answering.set()
    assert (await place_of_ack)["type"] == "ack"
    await alice.hear(2)
    assert alice.texts == ["a secret", "later"]


@pytest.mark.parametrize("how", [hang, fail])
async def test_an_application_that_does_not_answer_opens_nothing(
    place: House, tables: Tables, how: Callable[[], Awaitable[None]]
) -> None:
    alice, bob = await place.enter("alice"), await place.enter("bob")
    await bob.join("item:1")
    tables.fails = how

    refused = await alice.join("item:1")
    answer = await place.get("/api/v1/rooms/item:1/messages", "carol")

    assert (refused["code"], refused["retry_after"]) == ("unavailable", 1000)
    assert answer.status_code == 503
    assert "hunter2" not in f"{refused} {answer.text}"
    # Until the application says that something has changed, its last answer counts.
    await do(bob, "message", "item:1", text="still here")
    await place.hub.rooms("item:1").refresh_access()
    async with asyncio.timeout(30):
        await bob.link.wait_closed()
    assert bob.link.close_code == 1013

    tables.fails = None
    assert (await alice.join("item:1"))["type"] == "joined"


async def test_who_stays_is_asked_about_again(place: House, tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = await place.enter("alice"), await place.enter("bob")
    for one in (alice, bob):
        await one.join("item:1")
    application = place.hub.node.feature(RoomsFeature).rooms.access.application
    assert application is not None
    clock = application._clock
    del tables.roles["bob", "item:1"]

    monkeypatch.setattr(application, "_clock", lambda: clock() + LASTS)

    assert (await bob.expect("removed"))["reason"] == "removed"
    await do(alice, "message", "item:1", text="I stay")
    await eventually(lambda: tables.asked == 4)


async def test_private_rooms_and_an_applications_policy_stand_beside_it(tmp_path: Path, tables: Tables) -> None:
    tables.roles["mallory", "item:1"] = "owner"

    def policy(user: User, action: Action, where: str) -> bool:
        return user.key != "mallory" or action is not Action.SEND

    async with house(tmp_path, membership=tables.membership, policy=policy) as place:
        alice, bob, mallory = [await place.enter(name) for name in ("alice", "bob", "mallory")]
        asked = tables.asked
        room = await place.private(alice, bob)
        await do(bob, "message", room, text="among us")
        assert await code_of(mallory, "join", room) == "forbidden"
        assert tables.asked == asked
        assert (await mallory.join("item:1"))["role"] == "owner"
        assert await code_of(mallory, "message", "item:1", text="no") == "forbidden"
        assert (await alice.ask({"type": "create", "kind": "public", "room": "garden"}))["code"] == "forbidden"


async def test_a_revoked_user_is_asked_about_again(place: House, tables: Tables) -> None:
    assert (await place.get("/api/v1/rooms/item:1/messages", "bob")).status_code == 200
    del tables.roles["bob", "item:1"]
    assert (await place.get("/api/v1/rooms/item:1/messages", "bob")).status_code == 200

    await place.hub.users("bob").revoke()

    assert (await place.get("/api/v1/rooms/item:1/messages", "bob")).status_code == 403


@pytest.mark.parametrize("wrong", ["member", lambda user, room: "member", lambda: None])
def test_a_membership_that_is_no_async_function_of_user_and_room_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match="membership"):
        Hubbub(guests="on", membership=wrong)
