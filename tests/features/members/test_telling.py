"""Who is invited or removed is told on all devices, and nobody else is."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from hubbub import Hubbub, Settings
from hubbub.serving.app import create_app
from hubbub.testing import TestClient, TestServer, serving
from tests.features.members.house import House, code_of, do, house


@pytest.fixture(params=["sqlite", "postgresql"])
def at(request: pytest.FixtureRequest) -> dict[str, Any]:
    if request.param == "postgresql":
        return {"database_url": SecretStr(request.getfixturevalue("postgres"))}
    return {}


@pytest.fixture
async def place(at: dict[str, Any], tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, at) as built:
        yield built


@pytest.fixture
async def own_server(at: dict[str, Any], tmp_path: Path) -> AsyncIterator[tuple[Hubbub, TestServer]]:
    """Where a guest's key is the name as typed, so that an account may be meant by the same key."""
    app = create_app(Settings(data_dir=tmp_path, guests="on", **at))
    async with serving(app) as server:
        yield app.state.hub, server


async def seen_by(client: TestClient) -> list[str]:
    """The types of all that has come until now."""
    await client.send({"type": "ping", "id": "last"})
    types: list[str] = []
    while not types or types[-1] != "pong":
        types.append((await client.receive())["type"])
    return types


async def test_a_guest_hears_nothing_of_what_is_meant_for_an_account_with_the_same_key(
    own_server: tuple[Hubbub, TestServer],
) -> None:
    hub, server = own_server
    async with server.connect("/ws?username=dave") as guest:
        assert (await guest.expect("welcome"))["user"] == "dave"
        room = await hub.rooms.create(title="Secret plans", users=["dave"])
        await room.remove("dave")
        await room.invite("dave")

        assert await seen_by(guest) == ["pong"]


async def test_who_is_no_member_hears_nothing_of_a_kick_or_a_ban(place: House) -> None:
    alice, bob, carol = await place.enter("alice"), await place.enter("bob"), await place.enter("carol")
    room = await place.private(alice, carol)
    for _ in range(3):
        await do(alice, "kick", room, user="bob")
        await do(alice, "ban", room, user="bob")
        await do(alice, "ban", room, user="bob", on=False)
    await do(alice, "ban", room, user="bob")
    await do(alice, "ban", room, user="carol")
    await do(alice, "ban", room, user="carol", until="2099-01-01T00:00:00Z")
    await do(alice, "kick", room, user="carol")
    for somebody in (bob, carol):
        await somebody.catch_up()

    assert bob.of_type("removed") == []
    assert [event["reason"] for event in carol.of_type("removed")] == ["banned"]
    assert await code_of(alice, "invite", room, user="bob") == "conflict"


async def test_somebody_invites_and_removes_the_same_person_so_often_an_hour(
    place: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubbub.features.members.rooms_of_people.TO_ONE", 4)
    alice, bob, carol = await place.enter("alice"), await place.enter("bob"), await place.enter("carol")
    room = (await alice.ask({"type": "create", "kind": "private", "users": ["bob", "carol"]}))["room"]
    await do(alice, "remove", room, user="bob")
    await do(alice, "invite", room, user="bob")
    await do(alice, "remove", room, user="Bob")
    for path in ("invite", "remove"):
        refused = await alice.ask({"type": path, "room": room, "user": "bob"})
        assert (refused["code"], refused["retry_after"] > 0) == ("rate_limited", True)
    answer = await place.post(f"/api/v1/rooms/{room}/invite", "alice", user="bob")
    assert (answer.status_code, answer.headers["Retry-After"].isdigit()) == (429, True)
    refused = await alice.ask({"type": "create", "kind": "private", "users": ["bob"]})
    assert refused["code"] == "rate_limited"
    await bob.catch_up()
    assert len(bob.of_type("invited")) == len(bob.of_type("removed")) == 2

    await do(alice, "remove", room, user="carol")
    await do(alice, "invite", room, user="carol")
    await do(alice, "ban", room, user="bob")
    await carol.ask({"type": "create", "kind": "private", "users": ["bob"]})
    await bob.gather("invited", 3)


async def test_a_kick_too_many_is_refused_and_a_ban_never_is(place: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hubbub.features.members.rooms_of_people.TO_ONE", 1)
    boss, bob = await place.enter("boss"), await place.enter("bob")
    await bob.join("lobby")
    await boss.join("lobby")
    await do(boss, "kick", "lobby", user="bob")
    await bob.expect("removed")
    await bob.join("lobby")
    assert await code_of(boss, "kick", "lobby", user="bob") == "rate_limited"
    await do(boss, "ban", "lobby", user="bob")
    assert (await bob.gather("removed", 2))[1]["reason"] == "banned"


async def test_an_application_invites_as_often_as_it_likes(place: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hubbub.features.members.rooms_of_people.TO_ONE", 1)
    room = await place.hub.rooms.create(title="Order 42", users=["bob"])
    for _ in range(3):
        await room.remove("bob")
        await room.invite("bob")
