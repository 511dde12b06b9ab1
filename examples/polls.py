"""Polls in a room: an application's own feature, with commands, an event, tables, a route and a job.

    {"type": "poll", "room": "general", "question": "Lunch?", "choices": ["soup", "salad"], "seconds": 60, "about": 17}
    {"type": "vote", "room": "general", "poll": "…", "choice": 0}

Everybody in the room gets `poll_changed` after each vote, and when the poll ends. `GET /polls/general` lists the polls.
A poll may be `about` a message of the room, named by its `seq`. If the message is deleted, the poll is deleted in the
same transaction, so that neither is ever deleted without the other.

Settings: `HUBBUB_POLLS_PER_ROOM`, or `per_room` in the table `[polls]` of `hubbub.toml`; see `PollSettings`.
"""

import json
import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, FastAPI, Request
from pydantic import BaseModel, Field

from hubbub import (
    Action,
    Command,
    ConfigurationError,
    Conflict,
    Connection,
    Event,
    Feature,
    Forbidden,
    Hubbub,
    NotFound,
    Reply,
    run,
)
from hubbub.dispatch.registry import Registration
from hubbub.features.feature import Change
from hubbub.features.jobs import LeasedJob
from hubbub.features.rooms.feature import RoomsFeature
from hubbub.features.rooms.rooms import Room, channel_of
from hubbub.store.base import Transaction
from hubbub.store.database import Database
from hubbub.store.leases import Lease
from hubbub.store.statement import Statement
from hubbub.wire.keys import Key, Text, fold
from hubbub.wire.messages import ChangedEvent
from hubbub.wire.publication import Publication


class PollSettings(BaseModel):
    per_room: int = Field(20, ge=1, description="Open polls in one room.")


class OpenPoll(Command):
    """Ask everybody in the room. Answered by `poll_opened`."""

    type: Literal["poll"] = "poll"
    room: Key
    question: Text
    choices: list[Annotated[str, Field(min_length=1, max_length=100)]] = Field(min_length=2, max_length=10)
    seconds: float = Field(60, gt=0, le=24 * 60 * 60)
    about: int | None = Field(None, ge=1)


class Vote(Command):
    """Vote, or change your vote; the first choice is 0. Answered by `ack`."""

    type: Literal["vote"] = "vote"
    room: Key
    poll: str
    choice: int = Field(ge=0, le=9)


class PollOpened(Reply):
    """The answer to `poll`."""

    type: Literal["poll_opened"] = "poll_opened"
    poll: str


class PollChanged(Event):
    """The current state of a poll."""

    type: Literal["poll_changed"] = "poll_changed"
    room: str
    poll: str
    question: str
    choices: list[str]
    votes: list[int]
    is_open: bool


TABLES = (
    """
    CREATE TABLE polls (
        id TEXT PRIMARY KEY, room TEXT NOT NULL, question TEXT NOT NULL, choices TEXT NOT NULL, ends BIGINT NOT NULL,
        is_open INTEGER NOT NULL
    )
    """,
    """
    CREATE TABLE poll_votes (
        poll TEXT NOT NULL REFERENCES polls (id), voter TEXT NOT NULL, choice INTEGER NOT NULL,
        PRIMARY KEY (poll, voter)
    )
    """,
    "ALTER TABLE polls ADD COLUMN about BIGINT",
)
COLUMNS = ("id", "room", "question", "choices", "is_open")
# SQLite defers no rows of these tables, so the statements need not wait for deferred rows: `never_deferred`.
ADD = Statement(
    "INSERT INTO polls (id, room, question, choices, ends, about, is_open) "
    "VALUES (:id, :room, :question, :choices, :ends, :about, 1)",
    never_deferred=True,
)
ONE = Statement(
    "SELECT id, room, question, choices, is_open FROM polls WHERE id = :id AND room = :room {for_update}",
    columns=COLUMNS,
    never_deferred=True,
)
OF_ROOM = Statement(
    "SELECT id, room, question, choices, is_open FROM polls WHERE room = :room ORDER BY ends, id LIMIT 100",
    columns=COLUMNS,
    never_deferred=True,
)
DUE = Statement(
    "SELECT id, room, question, choices, 0 AS is_open FROM polls WHERE is_open = 1 AND ends <= :now ORDER BY id "
    "LIMIT 100 {for_update}",
    columns=COLUMNS,
    never_deferred=True,
)
IS_DUE = Statement(
    "SELECT id FROM polls WHERE is_open = 1 AND ends <= :now LIMIT 1", columns=("id",), never_deferred=True
)
COUNT_OPEN = Statement(
    "SELECT count(*) AS number FROM polls WHERE room = :room AND is_open = 1",
    columns=("number",),
    never_deferred=True,
)
CLOSE = Statement("UPDATE polls SET is_open = 0 WHERE id = :id", never_deferred=True)
PUT_VOTE = Statement(
    """
    INSERT INTO poll_votes (poll, voter, choice) VALUES (:poll, :voter, :choice)
    ON CONFLICT (poll, voter) DO UPDATE SET choice = excluded.choice
    """,
    never_deferred=True,
)
COUNT = Statement(
    "SELECT choice, count(*) AS number FROM poll_votes WHERE poll = :poll GROUP BY choice",
    columns=("choice", "number"),
    never_deferred=True,
)


DELETED = {"deleted": {"room": str, "seq": int}}
FORGET_VOTES = Statement(
    "DELETE FROM poll_votes WHERE poll IN "
    "(SELECT polls.id FROM polls JOIN {deleted} AS deleted ON polls.room = deleted.room AND polls.about = deleted.seq)",
    tables=DELETED,
    never_deferred=True,
)
FORGET = Statement(
    "DELETE FROM polls WHERE (room, about) IN (SELECT room, seq FROM {deleted} AS deleted)",
    tables=DELETED,
    never_deferred=True,
)


@dataclass(slots=True)
class Ballot:
    """A vote as it is stored. `room` and `voter` are folded: a key is the same in capital and small letters."""

    room: str
    poll: str
    voter: str
    choice: int


def add_polls(
    transaction: Transaction, polls: Sequence[dict[str, Any]], *, per_room: int
) -> list[PollChanged | Exception]:
    return [add_poll(transaction, poll, per_room) for poll in polls]


def add_poll(transaction: Transaction, poll: dict[str, Any], per_room: int) -> PollChanged | Exception:
    (is_open,) = transaction.rows(COUNT_OPEN, room=poll["room"])[0]
    if is_open >= per_room:
        return Conflict(f"the room has {per_room} open polls already")
    transaction.run(ADD, **poll)
    return as_event(transaction, (poll["id"], poll["room"], poll["question"], poll["choices"], True))


def put_votes(transaction: Transaction, ballots: Sequence[Ballot]) -> list[PollChanged | Exception]:
    return [put_vote(transaction, ballot) for ballot in ballots]


def put_vote(transaction: Transaction, ballot: Ballot) -> PollChanged | Exception:
    found = transaction.rows(ONE, id=ballot.poll, room=ballot.room)
    if not found:
        return NotFound("there is no such poll in this room")
    poll = as_event(transaction, found[0])
    if not poll.is_open:
        return Conflict("this poll is closed")
    if ballot.choice >= len(poll.choices):
        return NotFound(f"the poll has {len(poll.choices)} choices")
    transaction.run(PUT_VOTE, poll=ballot.poll, voter=ballot.voter, choice=ballot.choice)
    return as_event(transaction, found[0])


def close_due(transaction: Transaction, moments: Sequence[int]) -> list[list[PollChanged]]:
    closed = []
    for row in transaction.rows(DUE, now=max(moments)):
        transaction.run(CLOSE, id=row[0])
        closed.append(as_event(transaction, row))
    return [closed, *([] for _ in moments[1:])]


def read_polls(transaction: Transaction, room: str) -> list[PollChanged]:
    return [as_event(transaction, row) for row in transaction.rows(OF_ROOM, room=room)]


def as_event(transaction: Transaction, row: Sequence[Any]) -> PollChanged:
    id, room, question, choices, is_open = row
    counted = {row[0]: row[1] for row in transaction.rows(COUNT, poll=id)}
    names = json.loads(choices)
    votes = [counted.get(choice, 0) for choice in range(len(names))]
    return PollChanged(room=room, poll=id, question=question, choices=names, votes=votes, is_open=bool(is_open))


class Polls(Feature):
    name = "polls"
    scripts = TABLES
    settings_model = PollSettings
    settings: PollSettings

    def commands(self) -> Iterable[Registration]:
        yield Registration(OpenPoll, self.open_poll, asks=Action.SEND, place=self.room_of)
        yield Registration(Vote, self.vote, asks=Action.REACT, place=self.room_of)

    def events(self) -> Iterable[type[Event]]:
        return (PollOpened, PollChanged)

    def jobs(self) -> Iterable[LeasedJob]:
        yield LeasedJob("polls", 0.5, self.close_those_that_are_over)

    def routes(self, router: APIRouter, hub: Any) -> None:
        @router.get("/polls/{room}")
        async def polls_of_room(
            request: Request, room: Key, account: Any = Depends(hub.authenticate)
        ) -> list[PollChanged]:
            """The polls of a room, with their votes."""
            user = await hub.user_of(request, account)
            if not self.services.policy(user, Action.READ, room):
                raise Forbidden(f"you may not read room {room!r}")
            return await self.database.read(partial(read_polls, room=fold(room)), never_deferred=True)

    def committing(self, transaction: Transaction, changes: Sequence[Change]) -> None:
        deleted = [
            (fold(change.room), change.event.seq)
            for change in changes
            if isinstance(change.event, ChangedEvent) and change.event.deleted
        ]
        if deleted:
            transaction.run(FORGET_VOTES, deleted=deleted)
            transaction.run(FORGET, deleted=deleted)

    async def start(self) -> None:
        if self.services.database is None:
            raise ConfigurationError("polls are stored: give Hubbub(data_dir=…) or a database")

        self.add_polls = partial(add_polls, per_room=self.settings.per_room)

    @property
    def database(self) -> Database:
        assert self.services.database is not None
        return self.services.database

    def room_of(self, connection: Connection, command: OpenPoll | Vote) -> Room:
        return self.services.feature(RoomsFeature).room_of(connection, command)

    async def open_poll(self, connection: Connection, command: OpenPoll, room: Room) -> PollOpened:
        poll = {
            "id": secrets.token_urlsafe(9),
            "room": fold(room.key),
            "question": command.question,
            "choices": json.dumps(command.choices),
            "ends": round(1000 * (time.time() + command.seconds)),
            "about": command.about,
        }
        self.tell(await self.database.write(self.add_polls, poll))
        return PollOpened(poll=poll["id"])

    async def vote(self, connection: Connection, command: Vote, room: Room) -> None:
        ballot = Ballot(fold(room.key), command.poll, fold(connection.user.key), command.choice)
        self.tell(await self.database.write(put_votes, ballot))

    async def close_those_that_are_over(self, lease: Lease) -> None:
        now = round(1000 * time.time())
        # On a quiet server this read is free; a write transaction is not.
        if await self.database.read(lambda transaction: transaction.rows(IS_DUE, now=now), never_deferred=True):
            for poll in await self.database.write(lease.guard(close_due), now):
                self.tell(poll)

    def tell(self, poll: PollChanged) -> None:
        self.services.broker.publish(Publication(channel_of(poll.room), poll, ephemeral=True))


hub = Hubbub(guests="on", data_dir="polls-data", features=[Polls()])
app = FastAPI()
app.include_router(hub.router)


if __name__ == "__main__":
    run(app)
