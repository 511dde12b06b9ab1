"""Features that take part in the changes of rooms, on both databases."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from hubbub.dispatch.hooks import Hooks
from hubbub.errors import Forbidden, NotFound
from hubbub.features.built_in import built_in
from hubbub.features.feature import Change, Feature, Features
from hubbub.features.messages.feature import MessagesFeature
from hubbub.features.messages.log_changes import Changed
from hubbub.store import sqlite
from hubbub.store.base import Engine, Transaction
from hubbub.store.statement import Statement
from hubbub.wire.identity import User
from hubbub.wire.messages import MessageEvent
from hubbub.wire.rooms import RoomEvent
from tests.logbook import Talk
from tests.lone_node import lone_node
from tests.store.databases import empty_engine

__all__ = ["empty_engine"]

ALICE, BOB = User("alice", "Alice"), User("bob", "Bob")
ROOMS = [f"room-{number}" for number in range(20)]

NOTE = Statement(
    "INSERT INTO noted (room, rev, type) SELECT room, rev, type FROM {noted} AS noted",
    tables={"noted": {"room": str, "rev": int, "type": str}},
    deferrable="tests.note",
)
NOTED = Statement("SELECT room, rev, type FROM noted ORDER BY room, rev", columns=("room", "rev", "type"))


class Notes(Feature):
    """Stores a row for each change, in the change's own transaction."""

    name = "notes"
    scripts = ("CREATE TABLE noted (room TEXT, rev BIGINT, type TEXT, PRIMARY KEY (room, rev))",)

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.told: list[list[Change]] = []
        self.was_told = asyncio.Event()

    def committing(self, transaction: Transaction, changes: Sequence[Change]) -> None:
        self.batches.append(len(changes))
        transaction.run(NOTE, noted=[(change.room, change.rev, change.event.type) for change in changes])
        for change in changes:
            if isinstance(change.event, MessageEvent) and change.event.text == "a secret":
                raise Forbidden("that is a secret", room=change.room)
            if isinstance(change.event, MessageEvent) and change.event.text == "a bug":
                raise ZeroDivisionError

    def committed(self, changes: Sequence[Change]) -> None:
        self.told.append(list(changes))
        self.was_told.set()

    async def noted(self) -> list[tuple[str, int, str]]:
        assert self.services.database is not None
        return [(row[0], row[1], row[2]) for row in await self.services.database.read(lambda read: read.rows(NOTED))]


class Moody(Feature):
    """Raises whenever it is told something."""

    def committed(self, changes: Sequence[Change]) -> None:
        raise RuntimeError("in a mood")


@pytest.fixture(params=["at once", "deferred"])
def notes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Notes:
    if request.param == "deferred":
        monkeypatch.setattr(sqlite, "DEFERRED_FROM", 1)
    return Notes()


@pytest.fixture
async def talk(empty_engine: Engine, notes: Notes) -> AsyncIterator[Talk]:
    features = [Moody(), *built_in(Hooks()), notes]
    node = lone_node(engine=empty_engine, features=features)
    await node.start()
    yield Talk(node.feature(MessagesFeature).messages)
    await node.stop()


async def send_all(talk: Talk, texts: Sequence[str], room: Callable[[int], str]) -> list[Changed[Any] | BaseException]:
    sends = [talk.send(ALICE, room(number), text) for number, text in enumerate(texts)]
    return await asyncio.gather(*sends, return_exceptions=True)


async def test_a_feature_writes_its_rows_with_the_batch_of_changes(talk: Talk, notes: Notes) -> None:
    await send_all(talk, ["hello"] * len(ROOMS), lambda number: ROOMS[number])

    assert notes.batches == [len(ROOMS)]
    assert await notes.noted() == [(room, 1, "message") for room in sorted(ROOMS)]


async def test_each_kind_of_change_is_seen(talk: Talk, notes: Notes) -> None:
    await talk.send(ALICE, "hall", "hello")
    await talk.edit(ALICE, "hall", 1, "hello!")
    await talk.react(BOB, "hall", 1, "👋", on=True)
    await talk.pin(BOB, "hall", 1, on=True)
    await talk.delete(ALICE, "hall", 1)
    await talk.trim("hall", 1)

    assert await notes.noted() == [
        ("hall", 1, "message"),
        ("hall", 2, "changed"),
        ("hall", 3, "changed"),
        ("hall", 4, "changed"),
        ("hall", 5, "changed"),
        ("hall", 6, "room"),
    ]
    event = notes.told[-1][0].event
    assert isinstance(event, RoomEvent)
    assert event.floor == 1


@pytest.mark.parametrize(("text", "told"), [("a secret", Forbidden), ("a bug", ZeroDivisionError)])
async def test_an_error_of_a_feature_fails_only_that_change(
    talk: Talk, notes: Notes, text: str, told: type[Exception]
) -> None:
    texts = ["hello"] * 20
    texts[7] = text
    said = await send_all(talk, texts, lambda number: "hall")

    assert isinstance(said[7], told)
    assert [one.seq for one in said if not isinstance(one, BaseException)] == list(range(1, 20))
    assert await notes.noted() == [("hall", rev, "message") for rev in range(1, 20)]
    await asyncio.wait_for(notes.was_told.wait(), 10)
    assert sorted(change.rev for changes in notes.told for change in changes) == list(range(1, 20))


async def test_a_refused_or_repeated_message_is_no_change(talk: Talk, notes: Notes) -> None:
    await talk.send(ALICE, "hall", "hello", key="k")
    notes.batches.clear()
    await talk.send(ALICE, "hall", "hello", key="k")
    with pytest.raises(NotFound):
        await talk.edit(ALICE, "hall", 5, "hello!")

    assert notes.batches == []
    assert len(notes.told) == 1


async def test_a_feature_is_told_once_of_each_durable_batch(talk: Talk, notes: Notes) -> None:
    await send_all(talk, ["hello"] * 20, lambda number: "hall")
    await asyncio.wait_for(notes.was_told.wait(), 10)

    assert [[change.rev for change in changes] for changes in notes.told] == [list(range(1, 21))]


async def test_a_failing_feature_is_logged_and_the_others_go_on(
    talk: Talk, notes: Notes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "hubbub"):
        await talk.send(ALICE, "hall", "hello")
        await asyncio.wait_for(notes.was_told.wait(), 10)

    assert "Moody.committed failed" in caplog.text


def test_the_built_in_features_do_not_take_part_in_changes() -> None:
    features = Features(built_in(Hooks()))

    assert not features.take_part_in_changes
    assert not features.follow_changes
