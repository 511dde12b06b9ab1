"""The rooms' logs: every durable change of a room, in one order, and the way back to it after an absence.

A room has two numbers. `seq` counts its messages and is their address; `rev` counts all changes, and each row carries
the rev of its latest one. A client catches up by reading the rows with a rev above its own: each row once, however
often it changed, after a restart and on another node too. Both numbers are counted in the change's own transaction,
under the room's lock, so a failed transaction leaves no hole.

The logs know no sockets, no broker and no policy. They give each committed change to `committed`, in the event loop.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from hubbub.dispatch.answers import Later
from hubbub.features.messages import log_pages
from hubbub.features.messages.log_batch import change_rooms
from hubbub.features.messages.log_changes import Changed, ChangeRequest, Committing
from hubbub.features.messages.log_pages import Head, Page
from hubbub.features.messages.shared_reads import SharedReads
from hubbub.store.database import Database
from hubbub.store.group_commit import Operation
from hubbub.wire.identity import OnlineUser
from hubbub.wire.keys import KeyPatterns, fold
from hubbub.wire.messages import MessageEvent

RECOVERED_ROWS = 1000
RECOVERED_BYTES = 1_000_000
"""A client that missed more than this starts over with the latest page."""
LATEST = 50
PINNED = 100

_ROWS_PER_READ = 250
_REVS_KEPT = 20_000


@dataclass(frozen=True, slots=True)
class Recovery:
    """What a client needs when it comes back: all rows that it missed or, if the database no longer has all of them,
    the latest."""

    recovered: bool
    head: Head
    since: int
    """The client's own rev. It is 0 if the client was not recovered and must forget what it knew."""
    messages: list[MessageEvent]
    users: list[OnlineUser]
    size: int
    """The bytes that were read for it, as JSON, estimated."""


class RoomLogs:
    """The logs of all rooms in a database. Rooms that match `relay_rooms` have none. `clock` gives seconds since 1970.

    `committed` is called for each change that became durable, even if its sender no longer waits. It is also called for
    a repeated one, which has no event, since the node that did the first may have ended before it told anybody.
    `committing` takes part in the changes' transactions. `heard_of` gives the highest rev of a room that this node has
    heard of: other nodes may have changed the room.
    """

    def __init__(
        self,
        database: Database | None,
        *,
        relay_rooms: Iterable[str] = (),
        committed: Callable[[Changed[Any]], None] | None = None,
        committing: Committing | None = None,
        heard_of: Callable[[str], int] = lambda _: 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._relay_rooms = KeyPatterns(relay_rooms)
        self.committed = committed
        self._heard_of = heard_of
        self._change: Operation[ChangeRequest[Any], Changed[Any]] = partial(
            change_rooms, clock=clock, committing=committing
        )
        self._shared = SharedReads(time.monotonic)
        self._generation = 0
        """Part of the shared pages' keys, so that a new number makes all of them unused."""
        self._revs: OrderedDict[str, int] = OrderedDict()

    def stores(self, room: str) -> bool:
        """Whether a room has a log. Call the other methods only for rooms that have one."""
        return self._database is not None and not self._relay_rooms.covers(fold(room))

    def change(self, request: ChangeRequest[Any]) -> Later[Changed[Any]]:
        """Do what a request asks for. The result is given when it is durable; a caller that stops waiting does not stop
        the change.

        If the request is refused, an exception is given: `NotFound` if there is no such room or message, `Forbidden` if
        the user may not change it, `Conflict` if the key of a message was used for another content, `TooLarge` for too
        many reactions, `Unavailable` if it could not be stored. Raises `Unavailable` if too many requests wait already.
        """
        assert self._database is not None
        later: Later[Changed[Any]] = Later()
        self._database.submit(self._change, request, partial(self._done, later))
        return later

    def _done(self, later: Later[Changed[Any]], outcome: Changed[Any] | Exception) -> None:
        # After a timeout this is called a second time if the change was stored after all. The sender has its answer by
        # then, but everybody must hear of the change.
        try:
            if not isinstance(outcome, Exception):
                self._has_reached(outcome.room, outcome.rev)
                if self.committed is not None:
                    self.committed(outcome)
        finally:
            later.give(outcome)

    # Reading.

    async def head(self, room: str) -> Head:
        return (await self.heads([room]))[0]

    async def heads(self, rooms: Sequence[str]) -> list[Head]:
        """The heads of rooms, in one query."""
        assert self._database is not None
        heads = await self._database.read(partial(log_pages.read_heads, rooms=rooms))
        for head in heads:
            self._has_reached(head.room, head.rev)
        return heads

    async def latest(self, room: str, limit: int = LATEST) -> Page:
        """The newest messages, by seq."""
        return await self._read(log_pages.read_latest, room, limit)

    async def history(
        self,
        room: str,
        *,
        before: int | None = None,
        after: int | None = None,
        around: int | None = None,
        limit: int = LATEST,
    ) -> Page:
        """Messages before, after or around a seq, in the order of their seqs; by default the latest."""
        if before is not None:
            return await self._read(log_pages.read_before, room, before, limit)
        if after is not None:
            return await self._read(log_pages.read_after, room, after, limit)
        if around is not None:
            return await self._read(log_pages.read_around, room, around, limit)
        return await self.latest(room, limit)

    async def pinned(self, room: str, limit: int = PINNED) -> Page:
        """The newest of the pinned messages, by seq."""
        return await self._read(log_pages.read_pinned, room, limit)

    async def recover(
        self,
        room: str,
        rev: int,
        epoch: str,
        *,
        max_rows: int = RECOVERED_ROWS,
        max_bytes: int = RECOVERED_BYTES,
        latest: int = LATEST,
    ) -> Recovery:
        """All rows that changed since (rev, epoch), or the `latest` messages if the database no longer has all of them.

        It reads page after page, each from the last row's rev on, so a row that changes meanwhile is read again. Hold
        the room's live events back before this call: they have the changes that come after the last page.
        """
        rows: dict[int, MessageEvent] = {}
        users: list[OnlineUser] = []
        size, last = 0, rev
        while True:
            page = await self._read(log_pages.read_changes, room, last, _ROWS_PER_READ, epoch)
            rows |= {message.seq: message for message in page.messages if message.seq is not None}
            users += [user for user in page.users if user not in users]
            size += page.size
            if not page.continues or len(rows) > max_rows or size > max_bytes:
                page = await self.latest(room, latest)
                return Recovery(False, page.head, 0, page.messages, page.users, size + page.size)
            if not page.more:
                kept = [message for seq, message in rows.items() if seq > page.head.floor]
                return Recovery(True, page.head, rev, kept, users, size)
            # The rows after this page belong to this server's epoch, which may be later than the client's.
            last, epoch = page.last_rev, page.head.epoch

    def _has_reached(self, room: str, rev: int) -> None:
        """A room's rev is at least this one, so older pages must not be shared from now on."""
        folded = fold(room)
        self._revs[folded] = max(rev, self._revs.get(folded, 0))
        self._revs.move_to_end(folded)
        if len(self._revs) > _REVS_KEPT:
            self._revs.popitem(last=False)

    def users_changed(self) -> None:
        """A user has another key, so pages that were read before must not be shared any more."""
        self._generation += 1

    async def _read(self, read: Callable[..., Page], room: str, *position: Any) -> Page:
        assert self._database is not None
        database, folded = self._database, fold(room)
        page = await self._shared.get(
            (self._generation, read, folded, *position),
            # What was delivered here before a connection was held is not kept for it, so the page must have it.
            max(self._revs.get(folded, 0), self._heard_of(folded)),
            lambda: database.read(lambda transaction: read(transaction, room, *position)),
        )
        self._has_reached(room, page.head.rev)
        return page
