"""What a feature is: one folder, or one class of an application, that says here what it adds to a hub.

The built-in features (`built_in.py`) use this interface and nothing else, so an application's own can do what they do.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pydantic import BaseModel

from hubbub.accounts.policies import Policy
from hubbub.broker.base import Broker
from hubbub.delivery.connection import Connection
from hubbub.delivery.fanout import Fanout
from hubbub.delivery.sequencer import Sequencer
from hubbub.dispatch.recovering import Recover
from hubbub.dispatch.registry import Registration
from hubbub.features.jobs import Job, LeasedJob
from hubbub.settings import Settings
from hubbub.store.base import Transaction
from hubbub.store.database import Database
from hubbub.wire.base import Event
from hubbub.wire.messages import ChangedEvent, MessageEvent
from hubbub.wire.publication import Publication
from hubbub.wire.rooms import RoomEvent

if TYPE_CHECKING:
    from fastapi import APIRouter

log = logging.getLogger("hubbub")

F = TypeVar("F", bound="Feature")


@dataclass(frozen=True, slots=True)
class ChannelKind:
    """The channels whose names begin with `prefix`, as `room:`.

    `heads(channels)` reads where some of them stand, as heads (`Publication.head`), with one question for all of them;
    `fetch(channel, position)` reads what everybody who follows a channel has missed after a position; None where
    publications have no positions, so that nothing can be seen to be missing. `recover` sends what one connection has
    missed that took too little, None where that is gone.
    """

    prefix: str
    heads: Callable[[Sequence[str]], Awaitable[list[Publication]]] | None = None
    fetch: Callable[[str, int], Awaitable[list[Publication]]] | None = None
    recover: Recover | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What somebody did in a room that is stored: sent, edited, deleted, reacted, pinned, or forgot old messages."""

    room: str
    rev: int
    event: MessageEvent | ChangedEvent | RoomEvent
    """What everybody in the room is told of it."""


@dataclass(slots=True)
class Services:
    """What a node offers to its features."""

    settings: Settings
    policy: Policy
    fanout: Fanout
    broker: Broker
    sequencer: Sequencer
    epoch: str
    """Names one unbroken life of the rooms' numbers: the node's own, until a feature says what the database's is."""
    database: Database | None = None
    """None where nothing is stored."""
    cluster_id: str | None = None
    """Which database it is, from the start on: two databases have two ids (`store/cluster.py`)."""
    is_shared: bool = False
    """Whether others than this process write to the database."""
    features: Features = field(default_factory=lambda: Features(()))

    def feature(self, kind: type[F]) -> F:
        """Another feature of this hub. Raises KeyError if it has none of this class."""
        return self.features.of(kind)


class Feature:
    """Override what the feature has; each part is optional.

    A feature is made once for a hub, and lives through any number of starts of it: `open`, `start`, `stop`.
    """

    services: Services

    name = ""
    """Names the feature where its tables are versioned, and in its settings. Needed with `scripts`; never change it."""
    settings_model: type[BaseModel] | None = None
    """Its own settings: a pydantic model whose fields have defaults. With the name `polls`, the field `per_room` is
    read from `HUBBUB_POLLS_PER_ROOM`, or from the table `[polls]` of `hubbub.toml`. Needs `name`."""
    settings: Any
    """What was read, an object of `settings_model`. It is there before `open`; annotate it with that class."""
    scripts: Sequence[str] = ()
    """SQL for its own tables, one statement each, for SQLite and PostgreSQL alike. Each runs once in a database, in
    order, before `start`. To change a table, add a script at the end; never edit or remove one that was released. A
    script has the time that any statement has (setting `database_timeout`)."""

    # What it adds.

    def commands(self) -> Iterable[Registration]:
        """Its commands. They are asked for once, before `open`."""
        return ()

    def events(self) -> Iterable[type[Event]]:
        """Its own events, for the schema. They are asked for once, before `open`."""
        return ()

    def routes(self, router: APIRouter, hub: Any) -> None:
        """Add its HTTP routes. `hub` is the `Hubbub` that they are for."""

    def jobs(self) -> Iterable[Job | LeasedJob]:
        """What it does again and again. Asked for when it has started."""
        return ()

    def channels(self) -> Iterable[ChannelKind]:
        """The kinds of channel that it publishes to."""
        return ()

    def check(self, transaction: Transaction) -> list[str]:
        """For `hubbub db check`: a sentence for each thing that is wrong with its rows."""
        return []

    def welcome(self, room: str | None) -> dict[str, Any]:
        """Fields of `welcome`, for a connection that comes by a room's address, or by none."""
        return {}

    # Its life.

    def open(self, services: Services) -> None:
        """A node is being made. Nothing runs yet; the features before this one are open."""
        self.services = services

    async def start(self) -> None:
        """The database is open. Raises `ConfigurationError` or `Unavailable` if the feature cannot work."""

    async def stop(self) -> None:
        """The connections are gone, the jobs have ended, the database is open still. Also called after a start that
        failed."""

    # What happens to connections. These are called in the event loop; what they raise is logged, and stops nobody.

    def come(self, connection: Connection) -> None:
        """A connection is there, and has its `welcome`; or a socket that speaks an application's own protocol."""

    def joined(self, connection: Connection, room: str) -> None:
        """A connection has joined a room, and has been told what it missed there."""

    def left(self, connection: Connection, room: str) -> None:
        """A connection has left a room: by command, or because it has ended."""

    def gone(self, connection: Connection, *, clean: bool) -> None:
        """A connection has ended; `clean` if it said goodbye."""

    def key_moved(self) -> None:
        """A user has another key than before, because an account claimed it."""

    # What happens in rooms that are stored.

    def committing(self, transaction: Transaction, changes: Sequence[Change]) -> None:
        """Changes are written in this transaction: write what must never disagree with them in it too.

        It is called once for a batch of changes, in the thread of the database's writer, so it may use `transaction`
        and nothing of the event loop. It may be called again for the same changes, after a rollback: what it does
        besides the transaction would be done twice. What it raises fails a change, which is then not stored; where
        there are several, the batch is halved until that change stands alone. A `RequestError` is the sender's answer.

        All senders wait for it, so it runs a statement for the whole batch, not for each change. SQLite can defer its
        rows as those of messages: see `Statement`.
        """

    def committed(self, changes: Sequence[Change]) -> None:
        """These changes are durable, and on their way to everybody. Called in the event loop, in the rooms' order.

        A server that is killed between the two does not call it: what must not be missing belongs to `committing`.
        What it raises is logged.
        """


class Features:
    """The features of one hub, in the order in which they open, and what tells them what happens.

    A feature that does not override a method is not called, so nobody pays for it.
    """

    def __init__(self, features: Iterable[Feature]) -> None:
        self._features = list(features)
        self._of_kind = {type(feature): feature for feature in self._features}
        self._welcome = self._overriding("welcome")
        self._come = self._overriding("come")
        self._joined = self._overriding("joined")
        self._left = self._overriding("left")
        self._gone = self._overriding("gone")
        self._key_moved = self._overriding("key_moved")
        self._committing = self._overriding("committing")
        self._committed = self._overriding("committed")
        self._changes: list[Change] = []

    def __iter__(self) -> Iterator[Feature]:
        return iter(self._features)

    def of(self, kind: type[F]) -> F:
        """The feature of this class. Raises KeyError if there is none."""
        return cast(F, self._of_kind[kind])

    def welcome(self, room: str | None) -> dict[str, Any]:
        """What features add to `welcome`, for a connection that comes by a room's address, or by none."""
        fields: dict[str, Any] = {}
        for welcome in self._welcome:
            fields |= welcome(room)
        return fields

    def come(self, connection: Connection) -> None:
        _tell(self._come, connection)

    def joined(self, connection: Connection, room: str) -> None:
        _tell(self._joined, connection, room)

    def left(self, connection: Connection, room: str) -> None:
        _tell(self._left, connection, room)

    def gone(self, connection: Connection, *, clean: bool) -> None:
        _tell(self._gone, connection, clean=clean)

    def key_moved(self) -> None:
        _tell(self._key_moved)

    @property
    def take_part_in_changes(self) -> bool:
        """Whether any of them has `committing`."""
        return bool(self._committing)

    @property
    def follow_changes(self) -> bool:
        """Whether any of them has `committed`."""
        return bool(self._committed)

    def committing(self, transaction: Transaction, changes: Sequence[Change]) -> None:
        """Raises what a feature raises: the changes must fail then."""
        for committing in self._committing:
            committing(transaction, changes)

    def committed(self, change: Change) -> None:
        """What one turn of the event loop tells of is one batch."""
        if not self._changes:
            asyncio.get_running_loop().call_soon(self._tell_of_changes)
        self._changes.append(change)

    def _tell_of_changes(self) -> None:
        changes, self._changes = self._changes, []
        _tell(self._committed, changes)

    def _overriding(self, part: str) -> list[Callable[..., Any]]:
        return [getattr(one, part) for one in self._features if getattr(type(one), part) is not getattr(Feature, part)]


def _tell(methods: Iterable[Callable[..., Any]], *arguments: Any, **named: Any) -> None:
    for method in methods:
        try:
            method(*arguments, **named)
        except Exception:
            log.exception("%s failed", getattr(method, "__qualname__", method))
