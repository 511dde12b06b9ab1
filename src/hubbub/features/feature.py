"""The interface of a feature. A feature is one folder, or one class of an application, that adds something to a hub.

The built-in features (`built_in.py`) use only this interface, so an application's own feature can do all that they do.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pydantic import BaseModel

from hubbub.accounts.policies import Membership, Policy
from hubbub.broker.base import Broker
from hubbub.delivery.connection import Connection
from hubbub.delivery.fanout import Fanout
from hubbub.delivery.sequencer import Sequencer
from hubbub.dispatch.recovering import Recover
from hubbub.dispatch.registry import Registration
from hubbub.features.jobs import Job, LeasedJob
from hubbub.presence.base import Names, Presence
from hubbub.settings import CurrentSettings, Settings
from hubbub.shared_limits.base import SharedLimits
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
    """The channels whose names begin with `prefix`, such as `room:`.

    `heads(channels)` reads the latest positions of some channels, as heads (`Publication.head`), with one query.
    `fetch(channel, position)` reads the publications of a channel that come after a position: the node has missed them.
    Both are None if the publications have no positions, since then nobody can tell that one is missing. `recover` sends
    one connection what it missed while it was congested. It is None if nothing can be sent again.

    `receive` gets the publications of channels that the node itself follows (`Services.broker`) and no connection
    subscribes to; `count` says how many connections of this node get what is published in such a channel.
    """

    prefix: str
    heads: Callable[[Sequence[str]], Awaitable[list[Publication]]] | None = None
    fetch: Callable[[str, int], Awaitable[list[Publication]]] | None = None
    recover: Recover | None = None
    receive: Callable[[Publication], None] | None = None
    count: Callable[[str], int] | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a stored room: a message was sent, edited, deleted, reacted to or pinned, or the oldest messages were
    forgotten."""

    room: str
    rev: int
    event: MessageEvent | ChangedEvent | RoomEvent
    """The event that everybody in the room gets. Do not change it."""


@dataclass(slots=True)
class Services:
    """What a node gives to its features."""

    settings: Settings
    """Those of the start."""
    current: CurrentSettings
    """Those that administrators may change while the server runs."""
    policy: Policy
    fanout: Fanout
    broker: Broker
    presence: Presence
    limits: SharedLimits
    sequencer: Sequencer
    epoch: str
    """Names the time in which the rooms' numbers have one meaning (docs/protocol.md). The node makes one; a feature may
    replace it by the database's."""
    database: Database | None = None
    """None if nothing is stored."""
    names: Names | None = None
    """The names that are in use on all nodes. None if there is one node."""
    cluster_id: str | None = None
    """The database's id, set when the node starts: no two databases have the same one (`store/cluster.py`)."""
    membership: Membership | None = None
    """The application's function that says who is what in its rooms."""
    is_shared: bool = False
    """Whether other processes write to the database too."""
    features: Features = field(default_factory=lambda: Features(()))

    def feature(self, kind: type[F]) -> F:
        """Another feature of this hub. Raises KeyError if it has none of this class."""
        return self.features.of(kind)


class Feature:
    """Override the methods that the feature needs; each is optional.

    A feature object belongs to one hub. The hub may start and stop several times, and each time the feature's `open`,
    `start` and `stop` are called.
    """

    services: Services

    name = ""
    """The feature's name in the database and in its settings. Needed for `scripts`; then never change it. Built-in
    features have names that begin with `hubbub`, so an application's own cannot have the name of a later one."""
    settings_model: type[BaseModel] | None = None
    """Its own settings: a pydantic model whose fields have defaults. With the name `polls`, the field `per_room` is
    read from `HUBBUB_POLLS_PER_ROOM`, or from the table `[polls]` of `hubbub.toml`. Needs `name`."""
    settings: Any
    """The settings that were read, an object of `settings_model`, set before `open`. Annotate it with that class."""
    scripts: Sequence[str] = ()
    """SQL for its own tables: each script is one statement that SQLite and PostgreSQL both take. Each runs once in a
    database, in order, before `start`. To change a table, add a script at the end; never edit or remove one that was
    released. A script must end within the setting `database_timeout`."""

    # What the feature adds.

    def commands(self) -> Iterable[Registration]:
        """Its commands. Called once, before `open`."""
        return ()

    def events(self) -> Iterable[type[Event]]:
        """Its own events, for the schema. Called once, before `open`."""
        return ()

    def routes(self, router: APIRouter, hub: Any) -> None:
        """Add its routes, for HTTP and for WebSockets (`http/socket_routes.py`). `hub` is their `Hubbub`."""

    def jobs(self) -> Iterable[Job | LeasedJob]:
        """Its periodic work. Called once after each `start`."""
        return ()

    def channels(self) -> Iterable[ChannelKind]:
        """The kinds of channel that it publishes to."""
        return ()

    def check(self, transaction: Transaction) -> list[str]:
        """For `hubbub db check`: one sentence for each fault in its rows."""
        return []

    def welcome(self, room: str | None) -> dict[str, Any]:
        """More fields of `welcome`. `room` is the room in the connection's address, if there is one."""
        return {}

    # Its life.

    def open(self, services: Services) -> None:
        """A node is being made. Nothing runs yet; the features before this one in the hub's list are open."""
        self.services = services

    async def start(self) -> None:
        """The database is open. Raises `ConfigurationError` or `Unavailable` if the feature cannot work."""

    async def stop(self) -> None:
        """The connections are closed and the jobs have ended; the database is still open. Also called if `start`
        failed."""

    # What connections do. These are called in the event loop. If one raises, that is logged, and all others go on.

    def connected(self, connection: Connection) -> None:
        """A connection is open and was sent its `welcome`. A socket with an application's own protocol gets none."""

    def joined(self, connection: Connection, room: str) -> None:
        """A connection has joined a room and was sent what it missed there."""

    def left(self, connection: Connection, room: str) -> None:
        """A connection has left a room, by the command `leave` or because it ended."""

    def disconnected(self, connection: Connection, *, clean: bool) -> None:
        """A connection has ended; `clean` if it said goodbye."""

    def key_moved(self) -> None:
        """A user has another key than before, because an account claimed it."""

    # What happens in stored rooms.

    def committing(self, transaction: Transaction, changes: Sequence[Change]) -> None:
        """These changes are being stored in this transaction. Write rows here that must always agree with them.

        It is called once for a batch of changes, in the thread that writes to the database: use `transaction`, and
        nothing of the event loop. It may be called again for the same changes after a rollback, so anything done
        outside the transaction would be done twice. If it raises, nothing of the batch is stored; then the batch is
        halved and tried again, until the change that fails is alone. The sender of that change gets the error.
        Only `Unavailable` is the answer to all senders of the batch at once.

        All senders wait for it: run one statement for the batch, not one for each change. SQLite can defer the rows, as
        it does for messages: see `Statement`.
        """

    def committed(self, changes: Sequence[Change]) -> None:
        """These changes are durable and were published. Called in the event loop, in the order of the changes.

        It is not called if the server is killed after the commit: work that must not be lost belongs to `committing`.
        If it raises, that is logged.
        """


class Features:
    """The features of one hub, in the order in which they open. Its methods call those of all features.

    A method costs nothing for the features that do not override it.
    """

    def __init__(self, features: Iterable[Feature]) -> None:
        self._features = list(features)
        self._of_kind = {type(feature): feature for feature in self._features}
        self._welcome = self._overriding("welcome")
        self._connected = self._overriding("connected")
        self._joined = self._overriding("joined")
        self._left = self._overriding("left")
        self._disconnected = self._overriding("disconnected")
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
        """The fields that features add to `welcome`. `room` is the room in the connection's address, if any."""
        fields: dict[str, Any] = {}
        for welcome in self._welcome:
            fields |= welcome(room)
        return fields

    def connected(self, connection: Connection) -> None:
        _tell(self._connected, connection)

    def joined(self, connection: Connection, room: str) -> None:
        _tell(self._joined, connection, room)

    def left(self, connection: Connection, room: str) -> None:
        _tell(self._left, connection, room)

    def disconnected(self, connection: Connection, *, clean: bool) -> None:
        _tell(self._disconnected, connection, clean=clean)

    def key_moved(self) -> None:
        _tell(self._key_moved)

    @property
    def take_part_in_changes(self) -> bool:
        """Whether a feature has `committing`."""
        return bool(self._committing)

    @property
    def follow_changes(self) -> bool:
        """Whether a feature has `committed`."""
        return bool(self._committed)

    def committing(self, transaction: Transaction, changes: Sequence[Change]) -> None:
        """Raises what a feature raises; then the transaction must fail."""
        for committing in self._committing:
            committing(transaction, changes)

    def committed(self, change: Change) -> None:
        """The changes of one turn of the event loop are told as one batch."""
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
