"""Messages of a room are kept, can be changed, and are there for clients that come back."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from hubbub import Hubbub
from hubbub.node import Node
from hubbub.serving.app import create_app
from hubbub.settings import Settings
from hubbub.testing import serving
from tests.people import Person, Refused, person
from tests.servers import WebServer


async def test_an_ack_has_the_messages_seq_and_rev(chat: WebServer) -> None:
    async with person(chat, "ann-1") as ann:
        await ann.join("durable-1")

        first = await ann.say("durable-1", "one")
        second = await ann.say("durable-1", "two")

    assert (first["seq"], first["rev"], second["seq"], second["rev"]) == (1, 1, 2, 2)


async def test_the_same_key_again_gets_the_first_answer_and_one_message(chat: WebServer) -> None:
    frame = {"type": "message", "room": "durable-2", "text": "once", "key": "a-key-of-ann"}
    async with person(chat, "ann-2") as ann:
        await ann.join("durable-2")

        answers = [await ann.ask(frame) for _ in range(3)]
        await ann.catch_up()

        assert {(answer["type"], answer["seq"], answer["rev"]) for answer in answers} == {("ack", 1, 1)}
        assert ann.texts == ["once"]


async def test_a_key_used_for_another_text_is_a_conflict(chat: WebServer) -> None:
    frame = {"type": "message", "room": "durable-3", "text": "once", "key": "a-key-of-ann"}
    async with person(chat, "ann-3") as ann:
        await ann.join("durable-3")
        await ann.ask(frame)

        answer = await ann.ask({**frame, "text": "twice"})

        assert (answer["type"], answer["code"]) == ("error", "conflict")


async def test_a_join_gives_the_latest_messages_as_they_are_now(chat: WebServer) -> None:
    async with person(chat, "ann-4") as ann, person(chat, "ben-4") as ben:
        await ann.join("durable-4")
        for text in ("one", "two", "three"):
            await ann.say("durable-4", text)
        await ann.ask({"type": "edit", "room": "durable-4", "seq": 1, "text": "ONE"})
        await ann.ask({"type": "delete", "room": "durable-4", "seq": 2})

        joined = await ben.join("durable-4")

        assert [(row["seq"], row["rev"], row["text"]) for row in joined["messages"]] == [
            (1, 4, "ONE"),
            (2, 5, ""),
            (3, 3, "three"),
        ]
        assert "deleted" in joined["messages"][1]
        assert (joined["seq"], joined["rev"], joined["recovered"]) == (3, 5, False)


async def test_a_join_with_a_position_gives_only_what_changed(chat: WebServer) -> None:
    async with person(chat, "ann-5") as ann, person(chat, "ben-5") as ben:
        await ann.join("durable-5")
        for number in range(1, 5):
            await ann.say("durable-5", f"m{number}")
        epoch = (await ben.join("durable-5"))["epoch"]
        await ben.ask({"type": "leave", "room": "durable-5"})
        await ann.ask({"type": "react", "room": "durable-5", "seq": 2, "emoji": "👍"})
        await ann.say("durable-5", "m5")

        joined = await ben.ask({"type": "join", "room": "durable-5", "rev": 4, "epoch": epoch})

        assert joined["recovered"] is True
        assert (joined["since"], joined["rev"]) == (4, 6)
        assert [(row["seq"], row["rev"]) for row in joined["messages"]] == [(2, 5), (5, 6)]
        assert joined["messages"][0]["reactions"] == [{"emoji": "👍", "count": 1, "users": ["ann-5"]}]


@pytest.mark.parametrize(("rev", "epoch"), [(1, "another"), (99, None), (2**53 - 1, None)])
async def test_a_position_that_the_room_never_had_starts_over(chat: WebServer, rev: int, epoch: str | None) -> None:
    room = f"durable-6-{rev}"
    async with person(chat, "ann-6") as ann:
        real = (await ann.join(room))["epoch"]
        await ann.say(room, "hello")

        joined = await ann.ask({"type": "join", "room": room, "rev": rev, "epoch": epoch or real})

        assert joined["recovered"] is False
        assert [row["text"] for row in joined["messages"]] == ["hello"]


async def test_a_large_recovery_comes_in_several_events(chat: WebServer) -> None:
    big = "😀" * 4000
    async with person(chat, "ann-7") as ann, person(chat, "ben-7") as ben:
        epoch = (await ben.join("durable-7"))["epoch"]
        await ben.ask({"type": "leave", "room": "durable-7"})
        await ann.join("durable-7")
        for _ in range(40):
            await ann.say("durable-7", big)

        joined = await ben.ask({"type": "join", "room": "durable-7", "rev": 0, "epoch": epoch})
        parts = [joined]
        while parts[-1]["rev"] < 40:
            parts.append(await ben.expect("sync", room="durable-7"))

        assert joined["recovered"] is True
        assert len(parts) > 1
        assert [part["since"] for part in parts] == [0, *(part["rev"] for part in parts[:-1])]
        assert [row["seq"] for part in parts for row in part["messages"]] == list(range(1, 41))
        assert all(len(json.dumps(part, ensure_ascii=False).encode()) < 512 * 1024 for part in parts)


async def test_history_goes_page_by_page_in_both_directions_and_around(chat: WebServer) -> None:
    async def page(ann: Person, **place: Any) -> tuple[list[int], bool]:
        answer = await ann.ask({"type": "history", "room": "durable-8", "limit": 3, **place})
        return [row["seq"] for row in answer["messages"]], answer["more"]

    async with person(chat, "ann-8") as ann:
        await ann.join("durable-8")
        for number in range(1, 10):
            await ann.say("durable-8", f"m{number}")

        assert await page(ann) == ([7, 8, 9], True)
        assert await page(ann, before=7) == ([4, 5, 6], True)
        assert await page(ann, before=3) == ([1, 2], False)
        assert await page(ann, after=0) == ([1, 2, 3], True)
        assert await page(ann, after=7) == ([8, 9], False)
        assert await page(ann, around=5) == ([4, 5, 6], True)


async def test_pinned_messages_can_be_listed(chat: WebServer) -> None:
    async with person(chat, "ann-16") as ann, httpx2.AsyncClient(base_url=chat.url) as http:
        await ann.join("durable-16")
        for number in range(1, 6):
            await ann.say("durable-16", f"m{number}")
        for seq in (4, 2, 5):
            await ann.ask({"type": "pin", "room": "durable-16", "seq": seq})
        await ann.ask({"type": "pin", "room": "durable-16", "seq": 5, "on": False})

        pinned = await ann.ask({"type": "history", "room": "durable-16", "pinned": True})
        by_rest = await http.get("/api/v1/rooms/durable-16/messages", params={"pinned": "true"})

    assert [row["seq"] for row in pinned["messages"]] == [2, 4]
    assert [row["seq"] for row in by_rest.json()["messages"]] == [2, 4]


async def test_an_edit_while_history_is_read_is_not_undone_by_the_page(chat: WebServer) -> None:
    async with person(chat, "ann-9") as ann, person(chat, "ben-9") as ben:
        await ann.join("durable-9")
        await ben.join("durable-9")
        for number in range(1, 4):
            await ann.say("durable-9", f"m{number}")
        await ben.hear(3)

        for turn in range(10):
            edit = {"type": "edit", "room": "durable-9", "seq": 1, "text": f"turn {turn}"}
            asked = asyncio.ensure_future(ben.ask({"type": "history", "room": "durable-9"}))
            await ann.ask(edit)
            await asked
        await ben.catch_up()

        # As a client applies them: of two rows, and of a row and a change, the one with the higher rev counts.
        rev, text = 0, ""
        for event in ben.seen:
            rows = event["messages"] if event["type"] == "history" else [event] if event.get("seq") == 1 else []
            for row in rows:
                if row.get("seq") == 1 and row.get("rev", 0) > rev and "text" in row:
                    rev, text = row["rev"], row["text"]
        assert text == "turn 9"


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({"type": "edit", "seq": 1, "text": "mine now"}, "forbidden"),
        ({"type": "delete", "seq": 1}, "forbidden"),
        ({"type": "edit", "seq": 99, "text": "x"}, "not_found"),
        ({"type": "delete", "seq": 99}, "not_found"),
        ({"type": "react", "seq": 99, "emoji": "👍"}, "not_found"),
        ({"type": "pin", "seq": 99}, "not_found"),
        ({"type": "message", "text": "re", "reply_to": 99}, "not_found"),
        ({"type": "react", "seq": 1, "emoji": "not an emoji"}, "invalid"),
        ({"type": "edit", "seq": 0, "text": "x"}, "invalid"),
        ({"type": "edit", "seq": 2**60, "text": "x"}, "invalid"),
        ({"type": "history", "before": 3, "after": 1}, "invalid"),
        ({"type": "history", "limit": 10_000}, "invalid"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value['type']} {value.get('seq', '')}".strip(),
)
async def test_a_forbidden_or_impossible_change_is_an_error(chat: WebServer, frame: dict[str, Any], code: str) -> None:
    room = "durable-10"
    async with person(chat, "ann-10") as ann, person(chat, "mallory-10") as mallory:
        if not (await ann.join(room))["seq"]:
            await ann.say(room, "hers")
        await mallory.join(room)

        answer = await mallory.ask({"room": room, **frame})

        assert (answer["type"], answer["code"]) == ("error", code)
        assert (await mallory.ask({"type": "ping"}))["type"] == "pong"


async def test_a_guest_without_the_secret_cannot_change_the_older_guests_messages(chat: WebServer) -> None:
    async with person(chat, "ann-11") as ann:
        await ann.join("durable-11")
        await ann.say("durable-11", "hers")
        secret = ann.of_type("welcome")[0]["secret"]
    edit = {"type": "edit", "room": "durable-11", "seq": 1, "text": "changed"}

    async with person(chat, "ann-11") as stranger:
        await stranger.join("durable-11")
        refused = await stranger.ask(edit)
    async with person(chat, "ann-11", secret=secret) as ann:
        await ann.join("durable-11")
        allowed = await ann.ask(edit)

    assert (refused["type"], allowed["type"]) == ("error", "ack")


async def test_a_change_that_changes_nothing_takes_no_number_and_is_not_announced(chat: WebServer) -> None:
    async with person(chat, "ann-12") as ann:
        await ann.join("durable-12")
        await ann.say("durable-12", "hello")
        react = {"type": "react", "room": "durable-12", "seq": 1, "emoji": "👍"}

        first, second = await ann.ask(react), await ann.ask(react)
        await ann.catch_up()

        assert first["rev"] == second["rev"] == 2
        assert len(ann.of_type("changed")) == 1


async def test_rest_gives_the_same_pages(chat: WebServer) -> None:
    async with person(chat, "ann-13") as ann, httpx2.AsyncClient(base_url=chat.url) as http:
        await ann.join("durable-13")
        for number in range(1, 6):
            await ann.say("durable-13", f"m{number}")
        by_socket = await ann.ask({"type": "history", "room": "durable-13", "before": 5, "limit": 2})

        by_rest = await http.get("/api/v1/rooms/durable-13/messages", params={"before": 5, "limit": 2})
        wrong = await http.get("/api/v1/rooms/durable-13/messages", params={"limit": "many"})

    assert by_rest.json() == {name: value for name, value in by_socket.items() if name != "id"}
    assert (wrong.status_code, wrong.json()["code"], wrong.json()["errors"][0]["loc"]) == (400, "invalid", ["limit"])


async def test_a_rooms_address_takes_a_position(chat: WebServer) -> None:
    async with person(chat, "ann-14") as ann:
        epoch = (await ann.join("durable-14"))["epoch"]
        for number in range(1, 4):
            await ann.say("durable-14", f"m{number}")

        async with person(chat, "ben-14", path="/ws/chat/durable-14", rev="2", epoch=epoch) as ben:
            joined = await ben.expect("joined")

    assert (joined["recovered"], joined["since"], [row["text"] for row in joined["messages"]]) == (True, 2, ["m3"])


async def test_a_nonsense_position_in_a_rooms_address_is_refused(chat: WebServer) -> None:
    with pytest.raises(Refused) as refused:
        async with person(chat, "ann-15", path="/ws/chat/durable-15", rev="soon"):
            pass

    assert (refused.value.status, refused.value.body["errors"][0]["loc"]) == (400, ["rev"])


async def test_a_flood_of_sends_to_relayed_and_stored_rooms_is_answered_completely(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, relay_rooms=["live"], unanswered=2, rate=1e6, burst=10**6)
    app = create_app(settings)
    async with serving(app, settings=settings) as server, server.connect("/ws?username=alice") as alice:
        await alice.send({"type": "join", "rooms": [{"room": "live"}, {"room": "hall"}]})
        for room in ("live", "hall"):
            await alice.expect("joined", room=room)
        node: Node = app.state.hub.node
        assert node.database is not None
        waiting: list[Callable[[], None]] = []
        submit = node.database.submit
        node.database.submit = lambda *request: waiting.append(lambda: submit(*request))  # type: ignore[method-assign]

        frames = [{"type": "message", "id": "stored", "room": "hall", "text": "slow"}]
        frames += [{"type": "message", "id": f"{number}", "room": "live", "text": "x"} for number in range(500)]
        for frame in frames:
            await alice.send(frame)
        for number in range(500):
            await alice.expect("ack", id=f"{number}")
        waiting.pop()()

        await alice.expect("ack", id="stored", seq=1)


# Where messages go.


async def test_the_log_says_where_messages_go_or_that_they_go_nowhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    caplog.set_level("INFO", "hubbub")
    cases: list[tuple[dict[str, Any], str]] = [
        ({"data_dir": tmp_path / "given"}, f"messages are stored in SQLite, {tmp_path / 'given' / 'hubbub.db'}"),
        ({"data_dir": "given", "settings": Settings(data_dir=tmp_path / "set")}, str(tmp_path / "set")),
        ({}, "messages are not stored: who is away misses them"),
        ({"settings": Settings(database_url=SecretStr("none"))}, "HUBBUB_DATABASE_URL is `none`"),
    ]
    for arguments, said in cases:
        caplog.clear()
        async with Hubbub(guests="on", **arguments).lifespan(None):
            pass
        assert said in caplog.text
