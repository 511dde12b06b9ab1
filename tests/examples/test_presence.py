"""Presence: the list comes once, and each change comes as an event."""

import httpx
import pytest

from examples.presence import app
from tests.examples.conftest import Start

OFFICE = "/ws/chat/office?username="


async def test_an_online_list_is_updated_without_polling(start: Start) -> None:
    server = await start(app)
    async with server.connect(OFFICE + "alice") as alice:
        await alice.expect("joined", online=1)
        async with server.connect(OFFICE + "bob") as bob:
            joined = await bob.expect("joined", online=2)
            assert [user["name"] for user in joined["users"]] == ["alice", "bob"]
            await alice.expect("join", user="bob", online=2)
            async with httpx.AsyncClient(base_url=server.url) as program:
                assert (await program.get("/online")).json() == ["alice", "bob"]
        await alice.expect("leave", user="bob", online=1)


async def test_a_user_with_two_tabs_joins_and_leaves_once(start: Start) -> None:
    server = await start(app)
    async with server.connect(OFFICE + "alice") as alice:
        await alice.expect("joined")
        async with server.connect(OFFICE + "bob") as tab:
            secret = (await tab.expect("welcome"))["secret"]
            async with server.connect(f"{OFFICE}bob&secret={secret}") as other_tab:
                await other_tab.expect("joined", online=2)
            await tab.send({"text": "still here"})
            await alice.expect("message", text="still here")
        await alice.expect("leave", user="bob")

    assert [event["type"] for event in alice.seen if event.get("user") == "bob"] == ["join"]


async def test_a_user_who_vanishes_and_returns_at_once_has_not_left(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUBBUB_LINGER", "5")
    server = await start(app)
    async with server.connect(OFFICE + "alice") as alice:
        async with server.connect(OFFICE + "bob") as bob:
            secret = (await bob.expect("welcome"))["secret"]
            await alice.expect("join", user="bob")
            bob.vanish()
        async with server.connect(f"{OFFICE}bob&secret={secret}") as bob:
            await bob.expect("joined", online=2)
            await bob.send({"text": "back again"})
            await alice.expect("message", text="back again")

    assert not [event for event in alice.seen if event.get("user") == "bob"]
