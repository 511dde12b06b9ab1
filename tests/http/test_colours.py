"""The colour that an account has chosen for the avatar: who is told, and that it stays when its owner goes."""

from typing import Any

import pytest

from hubbub.features.messages import catching_up
from hubbub.testing import TestClient
from tests.http.browsers import Browser, Browsers

pytestmark = pytest.mark.usefixtures("cheap_passwords")

GREEN, PLUM = "#0b6b5e", "#7a3e9d"


async def alice_in_green(browsers: Browsers) -> Browser:
    alice = browsers()
    await alice.sign_up("alice", name="Alice")
    assert (await alice.patch("/me", json={"color": GREEN})).status_code == 200
    return alice


async def join(socket: TestClient, room: str = "general") -> dict[str, Any]:
    await socket.send({"type": "join", "room": room})
    return await socket.expect("joined")


async def test_the_others_see_a_colour_when_its_owner_comes_and_when_it_changes(browsers: Browsers) -> None:
    alice, bob = await alice_in_green(browsers), browsers()
    await bob.sign_up("bob")
    async with bob.server.connect("/ws", headers=bob.handshake) as watcher:
        assert "color" not in await watcher.expect("welcome")
        await join(watcher)
        await watcher.expect("join", user="bob")
        async with alice.server.connect("/ws", headers=alice.handshake) as socket:
            assert (await socket.expect("welcome"))["color"] == GREEN
            await join(socket)
            assert (await watcher.expect("join", user="alice"))["color"] == GREEN

            # As after a new name, the connections are made again.
            await alice.patch("/me", json={"color": PLUM})
            assert (await socket.closed())[0] == 1012
        async with alice.server.connect("/ws", headers=alice.handshake) as socket:
            await join(socket)
            assert (await watcher.expect("join", user="alice"))["color"] == PLUM


async def test_authors_keep_their_colours_when_they_are_offline(browsers: Browsers) -> None:
    alice, bob = await alice_in_green(browsers), browsers()
    await bob.sign_up("bob")
    for author in (alice, bob):
        await author.post("/rooms/general/messages", json={"text": "hello"})

    async with bob.server.connect("/ws", headers=bob.handshake) as socket:
        joined = await join(socket)
        assert joined["colors"] == {"alice": GREEN}
        await socket.send({"type": "history", "room": "general"})
        assert (await socket.expect("history"))["users"] == [
            {"user": "alice", "name": "Alice", "color": GREEN},
            {"user": "bob", "name": "bob"},
        ]
        # The colour that one has now is that of all one's messages.
        await alice.patch("/me", json={"color": ""})
        await socket.send({"type": "join", "room": "general", "rev": 0, "epoch": joined["epoch"]})
        again = await socket.expect("joined")
        assert again["recovered"]
        assert "colors" not in again


async def test_each_part_of_a_long_recovery_names_its_authors_with_their_colours(
    browsers: Browsers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catching_up, "FRAME_BYTES", 1)
    alice = await alice_in_green(browsers)
    for text in ("one", "two"):
        await alice.post("/rooms/general/messages", json={"text": text})

    async with alice.server.connect("/ws", headers=alice.handshake) as socket:
        epoch = (await join(socket))["epoch"]
        await socket.send({"type": "join", "room": "general", "rev": 0, "epoch": epoch})
        assert (await socket.expect("joined", recovered=True))["colors"] == {"alice": GREEN}
        assert (await socket.expect("sync"))["users"] == [{"user": "alice", "name": "Alice", "color": GREEN}]


async def test_members_are_listed_with_their_colours_and_with_new_ones(browsers: Browsers) -> None:
    alice, bob = await alice_in_green(browsers), browsers()
    await bob.sign_up("bob")
    async with bob.server.connect("/ws", headers=bob.handshake) as socket:
        await socket.send({"type": "direct", "users": ["alice"]})
        direct = await socket.expect("joined")
        room = direct["room"]
        assert {one["user"]: one.get("color") for one in direct["members"]} == {"alice": GREEN, "bob": None}
        (listed,) = (one for one in (await bob.get("/rooms")).json()["rooms"] if one["room"] == room)
        assert {one["user"]: one.get("color") for one in listed["users"]} == {"alice": GREEN, "bob": None}

        await alice.patch("/me", json={"color": PLUM})
        async with alice.server.connect("/ws", headers=alice.handshake) as hers:
            await join(hers, room)
            await socket.expect("join", user="alice")
        members = (await bob.get(f"/rooms/{room}/members")).json()["members"]
        assert {one["user"]: one.get("color") for one in members} == {"alice": PLUM, "bob": None}
