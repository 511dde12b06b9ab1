"""Tells every node that somebody's access has changed: a user or a log-in was revoked, a room's members changed, or the
settings that say who may come in.

A change is a row, written in the transaction of what it is about. So it cannot be lost: where other nodes write to the
database too, each node reads the latest rows twice a second. It usually hears of a change within milliseconds, by the
broker. This module knows no connections and no rooms: those who keep anything in memory that depends on access listen.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hubbub.broker.base import Broker
from hubbub.store.base import Transaction
from hubbub.store.database import Database
from hubbub.store.statement import Statement
from hubbub.wire.codecs import JSON_CODEC
from hubbub.wire.publication import Publication

CHANNEL = "access:changes"
"""Every node follows it."""

POLL = 0.5
"""Seconds between two readings of the table, where others write to it too."""
BEHIND = 5.0
"""Seconds without a reading after which a node cannot know any more who may read a private room."""
OVERLAP = 60.0
"""Rows are read again for so many seconds, since transactions do not end in the order of their times."""
KEPT = 3600.0
"""Seconds for which rows are kept. A node that could not read for longer has missed some."""
_REMEMBERED = 1000

TABLES = (
    "CREATE TABLE access_changes (id TEXT PRIMARY KEY, at BIGINT NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL)",
    "CREATE INDEX access_changes_by_time ON access_changes (at)",
)

_NOW = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
# Nodes may have different clocks, so theirs are asked only where there is one node.
_ADD = Statement(
    f"INSERT INTO access_changes (id, at, kind, subject) VALUES (:id, {_NOW}, :kind, :subject) RETURNING at",  # noqa: S608 - this module's own
    never_deferred=True,
)
# A room changes as fast as its members like, and is read whole when it has changed. So its latest change is enough: a
# room's changes are committed in the order of their times, because each holds the room's lock.
_SINCE = Statement(
    f"""
    SELECT id, at, kind, subject FROM (
        SELECT DISTINCT ON (kind, CASE WHEN kind = 'room' THEN subject ELSE id END) id, at, kind, subject
        FROM access_changes WHERE at > {_NOW} - :window
        ORDER BY kind, CASE WHEN kind = 'room' THEN subject ELSE id END, at DESC
    ) AS changes ORDER BY at, id
    """,  # noqa: S608 - as above
    columns=("id", "at", "kind", "subject"),
    never_deferred=True,
)
_FORGET = Statement(f"DELETE FROM access_changes WHERE at < {_NOW} - :kept", never_deferred=True)  # noqa: S608 - as above


class AccessKind(StrEnum):
    """What a change is about; `subject` is its folded key or its id."""

    USER = "user"
    """All that this user has shown until now is worthless: connections must end."""
    SESSION = "session"
    """This log-in has ended."""
    ROOM = "room"
    """Kind, members, roles, bans or mutes of this room."""
    BAN = "ban"
    """This user was banned from the server, or let in again."""
    SETTINGS = "settings"
    """What administrators have set at the server."""
    REPORT = "report"
    """A report, by its id: it was made, closed or opened again."""
    ROLE = "role"
    """What the application makes of people in this room. If the room is followed by a space and a user: of this one."""


_OF_CREDENTIALS = {AccessKind.USER, AccessKind.SESSION}
"""What is remembered for those who ask what has changed meanwhile. The others come far more often."""


@dataclass(frozen=True, slots=True)
class AccessChange:
    kind: AccessKind
    subject: str
    at: float
    """Seconds since 1970, by the database's clock if there is one."""
    id: str


Listener = Callable[[AccessChange], None]


def changed(transaction: Transaction, kind: AccessKind, subject: str) -> AccessChange:
    """Call it in the transaction that changes something about `subject`. When that is committed, give the result to
    `AccessChanges.tell`."""
    id = secrets.token_hex(8)
    if transaction.is_alone:
        # The only process that has to know is told by `tell`.
        return AccessChange(kind, subject, time.time(), id)
    ((at,),) = transaction.rows(_ADD, id=id, kind=kind.value, subject=subject)
    return AccessChange(kind, subject, at / 1000, id)


class AccessChanges:
    """Use it in one event loop. `shared` is the database that other nodes write to as well, None if there is none.

    Call `start` when the database is open, then `poll` every `POLL` seconds.
    """

    def __init__(self, broker: Broker, *, shared: Database | None, clock: Callable[[], float]) -> None:
        self._broker = broker
        self._shared = shared
        self._clock = clock
        self._listeners: dict[AccessKind, list[Listener]] = {kind: [] for kind in AccessKind}
        self._missed: list[Callable[[], None]] = []
        self._seen: OrderedDict[str, float] = OrderedDict()
        self._latest: deque[AccessChange] = deque(maxlen=_REMEMBERED)
        self._read_at = clock()
        self._patience = BEHIND
        self._follows = False
        self.number = 0
        """How many users and log-ins this node has heard of whose credentials ended."""

    def listen(self, kind: AccessKind, listener: Listener) -> None:
        """Call `listener` with each change of this kind, once, on every node. It must not wait or raise."""
        self._listeners[kind].append(listener)

    def on_missed(self, listener: Callable[[], None]) -> None:
        """Call `listener` if this node has missed changes and cannot know which: anything may have changed."""
        self._missed.append(listener)

    @property
    def is_behind(self) -> bool:
        """Whether this node has not been able to read the changes for `BEHIND` seconds. Until it can, nobody knows
        here who has been removed from a private room."""
        return self._shared is not None and self._clock() - self._read_at > self._patience

    def since(self, number: int) -> list[AccessChange] | None:
        """Those that this node has heard of since it had heard of so many; None if these are too many."""
        new = self.number - number
        return None if new > len(self._latest) else list(self._latest)[len(self._latest) - new :]

    def have_ended(self, session: str) -> bool:
        """Whether one of the latest changes was the end of this log-in."""
        return any(change.kind is AccessKind.SESSION and change.subject == session for change in self._latest)

    async def start(self) -> None:
        """What changed until now concerns nobody who is here. Raises `Unavailable`."""
        self._follows = False
        self._read_at = self._clock()
        if self._shared is not None:
            for change in await self._read(self._shared, OVERLAP):
                self._note(change)
            self._read_at = self._clock()

    def tell(self, *changes: AccessChange) -> None:
        """Tell all nodes, this one at once, of changes that are committed."""
        for change in changes:
            self._tell(change)

    def _tell(self, change: AccessChange) -> None:
        if self._broker.reaches_others:
            event = {
                "id": change.id,
                "at": change.at,
                "kind": change.kind,
                "subject": change.subject,
            }
            self._broker.publish(Publication(CHANNEL, event))
        self._take(change)

    def tell_of(self, kind: AccessKind, subject: str) -> None:
        """`tell`, where nothing is stored."""
        self.tell(AccessChange(kind, subject, time.time(), secrets.token_hex(8)))

    def receive(self, publication: Publication) -> None:
        """Take what a node has told by the broker."""
        event: dict[str, Any] = JSON_CODEC.decode(publication.payload(JSON_CODEC))
        self._take(AccessChange(AccessKind(event["kind"]), event["subject"], event["at"], event["id"]))

    async def poll(self) -> None:
        """Read what the broker may have lost. Raises `Unavailable`."""
        if not self._follows and self._broker.reaches_others:
            await self._broker.subscribe(CHANNEL)
            self._follows = True
        if self._shared is None:
            return
        began = self._clock()
        late = began - self._read_at
        for change in await self._read(self._shared, late + OVERLAP):
            self._take(change)
        if late + OVERLAP > KEPT:
            for listener in self._missed:
                listener()
        self._read_at = began

    async def _read(self, shared: Database, window: float) -> Iterator[AccessChange]:
        def read(transaction: Transaction) -> list[Any]:
            return transaction.rows(_SINCE, window=int(window * 1000))

        rows = await shared.read(read, never_deferred=True)
        return (AccessChange(AccessKind(kind), subject, at / 1000, id) for id, at, kind, subject in rows)

    def _take(self, change: AccessChange) -> None:
        if self._note(change):
            if change.kind in _OF_CREDENTIALS:
                self.number += 1
                self._latest.append(change)
            for listener in self._listeners[change.kind]:
                listener(change)

    def _note(self, change: AccessChange) -> bool:
        """Whether this change is new here."""
        now = self._clock()
        while self._seen and now - next(iter(self._seen.values())) > KEPT + OVERLAP:
            self._seen.popitem(last=False)
        is_new = change.id not in self._seen
        self._seen[change.id] = now
        return is_new


def record(transaction: Transaction, subjects: Sequence[tuple[AccessKind, str]]) -> list[AccessChange]:
    """An operation for `Database.write`: changes that nothing else of the database is about."""
    return [changed(transaction, kind, subject) for kind, subject in subjects]


def forget_old(transaction: Transaction) -> None:
    """Delete the rows that every node has read. Only for a database that nodes share."""
    transaction.run(_FORGET, kept=int(KEPT * 1000))
