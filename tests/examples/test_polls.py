"""Polls: an application's own feature, stored in both databases."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from examples.polls import app
from hubbub.testing import TestClient, TestServer, serving
from tests.examples.conftest import Start

LUNCH = {"type": "poll", "room": "hall", "question": "Lunch?", "choices": ["soup", "salad"], "id": "1"}


@pytest.fixture(autouse=True, params=["sqlite", "postgresql"])
def stored(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBBUB_DATA_DIR", str(tmp_path / "data"))
    if request.param == "postgresql":
        monkeypatch.setenv("HUBBUB_DATABASE_URL", request.getfixturevalue("postgres"))


async def open_poll(client: TestClient, **changed: Any) -> str:
    await client.send({**LUNCH, **changed})
    opened = await client.expect("poll_opened", id="1")
    poll: str = opened["poll"]
    return poll


async def polls_of(server: TestServer, room: str) -> list[dict[str, Any]]:
    async with httpx.AsyncClient(base_url=server.url) as client:
        polls: list[dict[str, Any]] = (await client.get(f"/polls/{room}")).raise_for_status().json()
    return polls


async def test_everybody_in_the_room_sees_the_votes_of_a_poll(start: Start) -> None:
    server = await start(app)
    async with (
        server.connect("/ws/chat/hall?username=alice") as alice,
        server.connect("/ws/chat/Hall?username=bob") as bob,
    ):
        await bob.expect("joined")
        poll = await open_poll(alice)
        await bob.expect("poll_changed", poll=poll, votes=[0, 0], is_open=True)
        await bob.send({"type": "vote", "room": "hall", "poll": poll, "choice": 1, "id": "2"})
        await bob.expect("ack", id="2")

        await alice.expect("poll_changed", poll=poll, votes=[0, 1])
        await bob.send({"type": "vote", "room": "hall", "poll": poll, "choice": 0})
        await alice.expect("poll_changed", poll=poll, votes=[1, 0])


async def test_a_poll_is_closed_when_its_time_is_over(start: Start) -> None:
    server = await start(app)
    async with server.connect("/ws/chat/hall?username=alice") as alice:
        poll = await open_poll(alice, seconds=0.05)
        await alice.expect("poll_changed", poll=poll, is_open=False)
        await alice.send({"type": "vote", "room": "hall", "poll": poll, "choice": 0, "id": "2"})

        await alice.expect("error", id="2", code="conflict")


async def test_polls_and_votes_survive_a_restart() -> None:
    async with serving(app) as first, first.connect("/ws/chat/hall?username=alice") as alice:
        poll = await open_poll(alice)
        await alice.send({"type": "vote", "room": "hall", "poll": poll, "choice": 1, "id": "2"})
        await alice.expect("ack", id="2")
        assert (await polls_of(first, "hall"))[0]["votes"] == [0, 1]

    async with serving(app) as second:
        (found,) = await polls_of(second, "Hall")

        assert (found["poll"], found["votes"], found["is_open"]) == (poll, [0, 1], True)
        assert await polls_of(second, "kitchen") == []


async def test_a_poll_about_a_message_is_deleted_with_it(start: Start) -> None:
    server = await start(app)
    async with server.connect("/ws/chat/Hall?username=alice") as alice:
        for id in ("10", "11"):
            await alice.send({"type": "message", "room": "Hall", "text": "Where do we eat?", "id": id})
            await alice.expect("ack", id=id)
        kept = await open_poll(alice, about=1)
        poll = await open_poll(alice, about=2)
        await alice.send({"type": "vote", "room": "Hall", "poll": poll, "choice": 0})
        await alice.send({"type": "delete", "room": "Hall", "seq": 2, "id": "12"})
        await alice.expect("ack", id="12")

        assert [found["poll"] for found in await polls_of(server, "Hall")] == [kept]
        await alice.send({"type": "vote", "room": "Hall", "poll": poll, "choice": 0, "id": "13"})
        await alice.expect("error", id="13", code="not_found")


async def test_a_room_has_only_as_many_open_polls_as_the_setting_says(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUBBUB_POLLS_PER_ROOM", "1")
    server = await start(app)
    async with server.connect("/ws/chat/hall?username=alice") as alice:
        await open_poll(alice)
        await alice.send({**LUNCH, "id": "2"})
        await alice.expect("error", id="2", code="conflict")


async def test_a_vote_needs_the_room_and_an_existing_choice(start: Start) -> None:
    server = await start(app)
    async with (
        server.connect("/ws/chat/hall?username=alice") as alice,
        server.connect("/ws/chat/kitchen?username=bob") as bob,
    ):
        poll = await open_poll(alice)
        await bob.send({"type": "vote", "room": "hall", "poll": poll, "choice": 0, "id": "2"})
        await bob.expect("error", id="2", code="forbidden")
        await bob.send({"type": "vote", "room": "kitchen", "poll": poll, "choice": 0, "id": "3"})
        await bob.expect("error", id="3", code="not_found")
        await alice.send({"type": "vote", "room": "hall", "poll": poll, "choice": 7, "id": "4"})
        await alice.expect("error", id="4", code="not_found")


async def test_a_poll_is_validated_like_a_built_in_command(start: Start) -> None:
    server = await start(app)
    async with server.connect("/ws/chat/hall?username=alice") as alice:
        await alice.send({**LUNCH, "choices": ["only one"]})

        await alice.expect("error", id="1", code="invalid")


async def test_the_route_refuses_with_the_status_of_the_error(start: Start) -> None:
    server = await start(app)
    async with httpx.AsyncClient(base_url=server.url, headers={"origin": "http://elsewhere.example"}) as client:
        assert (await client.get("/polls/hall")).status_code == 403
