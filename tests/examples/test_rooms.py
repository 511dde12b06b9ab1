"""Rooms: messages reach only their own room, and an empty room is gone."""

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from examples.rooms import app
from hubbub.testing import TestServer
from tests.examples.conftest import Start
from tests.waiting import eventually


async def rooms_of(server: TestServer) -> dict[str, int]:
    async with httpx.AsyncClient(base_url=server.url) as client:
        answer: dict[str, int] = (await client.get("/rooms")).json()
    return answer


async def test_a_message_reaches_only_its_own_room(start: Start) -> None:
    server = await start(app)
    async with (
        server.connect("/ws/kitchen") as alice,
        server.connect("/ws/kitchen") as bob,
        server.connect("/ws/garden") as carol,
    ):
        for client in (alice, bob, carol):
            await client.expect("joined")
        await alice.send("dinner is ready")
        await bob.expect("message", room="kitchen", text="dinner is ready")
        # Deliveries are in order, so carol's first message is also her only one.
        await carol.send("the roses bloom")
        await carol.expect("message", text="the roses bloom")

    assert not [event for event in carol.seen if event.get("text") == "dinner is ready"]


async def test_a_client_that_vanishes_is_removed_and_its_empty_room_is_gone(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUBBUB_LINGER", "0.1")
    server = await start(app)
    async with server.connect("/ws/kitchen") as alice, server.connect("/ws/garden") as bob:
        await alice.expect("joined")
        await bob.expect("joined")
        assert await rooms_of(server) == {"kitchen": 1, "garden": 1}
        alice.vanish()

        async def kitchen_is_gone() -> bool:
            return await rooms_of(server) == {"garden": 1}

        await eventually(kitchen_is_gone)


async def test_an_invalid_room_key_is_refused_before_the_upgrade(start: Start) -> None:
    server = await start(app)
    with pytest.raises(InvalidStatus) as refused:
        async with server.connect("/ws/two%20words"):
            pass

    assert refused.value.response.status_code == 400
