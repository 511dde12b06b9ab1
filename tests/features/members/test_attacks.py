"""Somebody who is no member tries to learn something of a private room, in every way that the API has.

The ways are those of the hub's registry and router, so a later feature is tried by itself. Each is tried with the real
room and with one that does not exist: the answers must be the same, and so must be the work that they took.
"""

import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hubbub.accounts.policies import ROUTES
from hubbub.store.database import Database
from hubbub.wire.base import Command
from tests.features.members.house import House, do, house
from tests.people import Person, person

TITLE, WORDS, OTHERS = "Hidden plans", "the words that nobody else may read", "carol-the-member"
NO_ROOM = "private:aaaaaaaaaaaaaaaa"

ATTACKERS = ("stranger", "boss", "guest", "removed", "banned")


@dataclass
class Scene:
    house: House
    room: str
    epoch: str
    attacker: Person
    alice: Person
    user: str | None
    """Whom the attacker's requests show; None for a guest."""


@pytest.fixture(params=ATTACKERS)
async def scene(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Scene]:
    async with house(tmp_path) as built:
        alice, carol = await built.enter("alice"), await built.enter(OTHERS)
        attacker = await built.enter(request.param, guest=request.param == "guest")
        room = await built.private(alice, carol, title=TITLE)
        if request.param in {"removed", "banned"}:
            await do(alice, "invite", room, user=attacker.key)
            await attacker.join(room)
            await do(alice, "remove" if request.param == "removed" else "ban", room, user=attacker.key)
            await attacker.gather("removed", 1)
            attacker.seen.clear()
        await do(alice, "message", room, text=WORDS)
        await do(alice, "pin", room, seq=1)
        epoch = alice.of_type("joined")[-1]["epoch"]
        user = None if request.param == "guest" else request.param
        yield Scene(built, room, epoch, attacker, alice, user)


def sample(name: str, schema: dict[str, Any], room: str, epoch: str) -> Any:
    """A valid value of a field. What is about a room is about this one."""
    known = {
        "room": room,
        "topic": room,
        "rooms": [{"room": room, "rev": 0, "epoch": epoch}],
        "user": OTHERS,
        "users": [OTHERS],
        "epoch": epoch,
        "rev": 0,
        "emoji": "👍",
        "key": "a-key-of-mallory",
        "until": "2099-01-01T00:00:00Z",
    }
    if name in known:
        return known[name]
    for one in (schema, *schema.get("anyOf", ())):
        if "const" in one or "enum" in one or one.get("type") in {"string", "integer", "boolean", "object", "array"}:
            simple: dict[str, Any] = {"string": "x", "integer": 1, "boolean": True, "object": {}, "array": []}
            return one.get("const", one.get("enum", [simple.get(one.get("type", ""))])[0])
    return "x"


def frames(model: type[Command], room: str, epoch: str) -> Iterator[dict[str, Any]]:
    """The command with what it needs; also with each single field that it may have."""
    schema = model.model_json_schema()
    fields = {name: sample(name, one, room, epoch) for name, one in schema["properties"].items() if name != "id"}
    least = {name: fields[name] for name in {"type", *schema.get("required", ())}}
    yield least
    for name, value in fields.items():
        if name not in least:
            yield least | {name: value}


def without(text: str, room: str) -> str:
    return text.replace(room, "ROOM")


def assert_nothing_leaks(text: str, room: str) -> None:
    for secret in (TITLE, WORDS, OTHERS, room):
        assert secret not in text, text


def reads_of(house: House) -> list[None]:
    """Grows with each statement that reads the database."""
    reads: list[None] = []
    database = house.hub.node.database
    assert database is not None
    read = database.read

    async def counting(work: Callable[[Any], Any], **named: Any) -> Any:
        return await read(lambda transaction: work(Counting(transaction)), **named)

    class Counting:
        def __init__(self, transaction: Any) -> None:
            self._transaction = transaction

        def __getattr__(self, name: str) -> Any:
            if name == "rows":
                reads.append(None)
            return getattr(self._transaction, name)

    setattr(database, Database.read.__name__, counting)
    return reads


async def test_no_command_tells_anything_of_a_private_room(scene: Scene) -> None:
    attacker, reads = scene.attacker, reads_of(scene.house)

    async def answer_to(frame: dict[str, Any]) -> tuple[str, int]:
        before = len(reads)
        answer = await attacker.ask(frame)
        answer.pop("id")
        return json.dumps(answer, sort_keys=True), len(reads) - before

    for model in scene.house.hub._registry.commands:
        for real, unreal in zip(
            frames(model, scene.room, scene.epoch), frames(model, NO_ROOM, scene.epoch), strict=True
        ):
            if model.type_name() in {"ping", "pong", "create", "direct"} and "room" not in real:
                continue
            answer, work = await answer_to(real)
            other, same_work = await answer_to(unreal)

            assert without(answer, scene.room) == without(other, NO_ROOM), real
            assert work == same_work, real
            if "room" in real or "rooms" in real:
                assert json.loads(answer)["type"] == "error", real
            assert_nothing_leaks(without(answer, scene.room), scene.room)


async def test_no_request_tells_anything_of_a_private_room(scene: Scene) -> None:
    reads, headers = reads_of(scene.house), {"X-User": scene.user} if scene.user else {}

    async def answer_to(method: str, path: str, room: str) -> tuple[int, str, set[str], int]:
        before = len(reads)
        filled = path.replace("{room}", room).replace("{topic}", room)
        filled = filled.replace("{seq}", "1")
        # To lift a ban a second time is not the same as the first time.
        somebody = "nobody" if "/bans/" in path else OTHERS
        filled = re.sub(r"\{\w+\}", somebody, filled)
        body = {
            "type": "x",
            "text": "x",
            "user": OTHERS,
            "role": "member",
            "title": "x",
            "kind": "public",
            "room": room,
            "reason": "x",
            "state": "closed",
        }
        queries = {
            "/api/v1/rooms": {"q": room.partition(":")[2], "limit": "50"},
            "/api/v1/reports": {"room": room},
        }
        query = queries.get(path, {})
        answer = await scene.house.http.request(
            method, filled, headers=headers, params=query, json=None if method == "GET" else body
        )
        return answer.status_code, without(answer.text, room), set(answer.headers), len(reads) - before

    for route in ROUTES:
        method, path = route.split(" ")
        real, unreal = await answer_to(method, path, scene.room), await answer_to(method, path, NO_ROOM)

        assert real == unreal, route
        if "{room}" in path:
            assert real[0] in {400, 401, 403}, route
        assert_nothing_leaks(real[1], scene.room)
    listed = (await scene.house.http.get("/api/v1/rooms", headers=headers)).text
    assert_nothing_leaks(listed, scene.room)


async def test_a_rooms_address_tells_nothing_of_a_private_room(scene: Scene) -> None:
    seen = []
    for room in (scene.room, NO_ROOM):
        path = f"/ws/chat/{room}"
        entering = person(scene.house, path=path, user=scene.user) if scene.user else person(scene.house, path=path)
        async with entering as attacker:
            await attacker.expect("error")
            await attacker.type("hello?")
            await attacker.expect("error")
            fields = [{name: value for name, value in event.items() if name not in VARYING} for event in attacker.seen]
        seen.append(without(json.dumps(fields), room))

    assert seen[0] == seen[1]
    assert "online" not in seen[0]
    assert_nothing_leaks(seen[0], scene.room)


VARYING = {"user", "name", "secret", "connection", "node", "epoch", "ts"}


async def test_nothing_that_happens_in_a_private_room_reaches_who_tries_to_follow_it(scene: Scene) -> None:
    attacker, alice, room = scene.attacker, scene.alice, scene.room
    for topic in (room, f"room:{room}"):
        await attacker.ask({"type": "follow", "topic": topic})
    await attacker.ask({"type": "join", "room": room})

    await alice.send({"type": "typing", "room": room})
    await do(alice, "message", room, text=WORDS)
    await do(alice, "react", room, seq=1, emoji="👍")
    await do(alice, "change_room", room, description=WORDS)
    await do(alice, "set_role", room, user=OTHERS, role="moderator")
    await attacker.catch_up()

    about = [event for event in attacker.seen if event.get("room") == room]
    assert [event["type"] for event in about] == ["error"]
    assert_nothing_leaks(json.dumps([event for event in attacker.seen if event not in about]).replace(room, ""), room)
