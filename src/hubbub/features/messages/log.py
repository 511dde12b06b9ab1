"""The rooms' log: every durable change of a room, in one order, and the way back to it after an absence.

A room has two numbers. `seq` counts its messages and is their address; `rev` counts all changes, and each row carries
the rev of its latest one. Catching up is to read the rows with a rev above one's own: it compacts itself, and works
after a restart and on another node. Both are counted in the change's own transaction under the room's lock, so an
abort leaves no hole.

The log knows no sockets, no broker and no policy. What it commits it hands to `committed`, in the event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeVar

from pydantic_core import to_json

from hubbub.features.messages import log_pages
from hubbub.features.messages.log_batch import change_rooms
from hubbub.features.messages.log_changes import (
    Author,
    Changed,
    Committing,
    Delete,
    Edit,
    MessageChange,
    Outcome,
    Pin,
    React,
    Request,
    Send,
    Sent,
    Trim,
)
from hubbub.features.messages.log_pages import Head, Page
from hubbub.features.messages.log_trim import trim_rooms
from hubbub.features.messages.shared_reads import SharedReads
from hubbub.store.database import Database
from hubbub.store.group_commit import Operation
from hubbub.store.threads import settle
from hubbub.wire.identity import OnlineUser
from hubbub.wire.keys import fold
from hubbub.wire.messages import MessageEvent

R = TypeVar("R")
T = TypeVar("T", bound=Outcome)

RECOVERED_ROWS = 1000
RECOVERED_BYTES = 1_000_000
"""A client that missed more than this begins anew with the latest page."""
LATEST = 50
PINNED = 100

_ROWS_PER_READ = 250
_REVS_KEPT = 20_000


@dataclass(frozen=True, slots=True)
class Recovery:
    """What a client needs that comes back: the rows that it missed or, where they can't be had whole, the latest."""

    recovered: bool
    head: Head
    since: int
    """The client's own rev if it was recovered, else 0: it must forget what it knew."""
    messages: list[MessageEvent]
    users: list[OnlineUser]
    size: int
    """Bytes as JSON of all that was read for it, roughly."""


class RoomLog:
    """All rooms' logs. `clock` gives seconds since 1970.

    `committed` is called for each change that became durable, even if whoever asked for it no longer waits; and for a
    repeated one, without an event, since it may be that nobody heard of the first. `committing` takes part in the
    changes' transactions.
    """

    def __init__(
        self,
        database: Database,
        *,
        committed: Callable[[Outcome], None] | None = None,
        committing: Committing | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._committed = committed
        self._change: Operation[Request, Outcome] = partial(change_rooms, clock=clock, committing=committing)
        self._trim: Operation[Trim, Changed] = partial(trim_rooms, committing=committing)
        self._shared = SharedReads(time.monotonic)
        self._generation = 0
        """Of the pages that are shared."""
        self._revs: OrderedDict[str, int] = OrderedDict()

    # Changes. Each returns when it is durable, and raises a `RequestError` where it is refused.

    async def send(
        self,
        author: Author,
        room: str,
        text: str,
        *,
        key: str | None = None,
        reply_to: int | None = None,
        data: dict[str, Any] | None = None,
        kind: Literal["text", "system"] = "text",
    ) -> Sent:
        """Say something. The same author, room and `key` again gives the first numbers, and no second message.

        Raises `Conflict` if the key was used for another content, `NotFound` if there is nothing to reply to.
        """
        send = Send(author, room, text, kind=kind, key=key, reply_to=reply_to, data=_encoded(data))
        outcome = await self._write(self._change, send)
        assert isinstance(outcome, Sent)
        return outcome

    def submit(
        self,
        author: Author,
        room: str,
        text: str,
        *,
        answered: Callable[[Sent | Exception], None],
        key: str | None = None,
        reply_to: int | None = None,
        data: dict[str, Any] | None = None,
    ) -> None:
        """`send` without a task: `answered` is called with the `Sent`, or with what `send` would have raised.

        Raises `Unavailable` if too many wait already.
        """
        send = Send(author, room, text, key=key, reply_to=reply_to, data=_encoded(data))
        self._database.submit(self._change, send, partial(self._note, answered))

    async def edit(self, author: Author, room: str, seq: int, text: str) -> Changed:
        """Give a message another text. Raises `NotFound`, and `Forbidden` if somebody else wrote it."""
        return await self._change_message(Edit(author, room, seq, text))

    async def delete(self, author: Author, room: str, seq: int, *, of_anybody: bool = False) -> Changed:
        """Leave a tombstone: text, data, edits and reactions are gone from the database.

        Raises `NotFound`, and `Forbidden` if somebody else wrote it and the author may not delete `of_anybody`.
        """
        return await self._change_message(Delete(author, room, seq, of_anybody))

    async def react(self, author: Author, room: str, seq: int, emoji: str, *, on: bool = True) -> Changed:
        """Put an emoji under a message, or take it away. Raises `NotFound`, `TooLarge`."""
        return await self._change_message(React(author, room, seq, emoji, on))

    async def pin(self, author: Author, room: str, seq: int, *, on: bool = True) -> Changed:
        """Pin a message, or unpin it. Raises `NotFound`."""
        return await self._change_message(Pin(author, room, seq, on))

    async def trim(self, room: str, seq: int) -> Changed:
        """Forget the messages up to `seq`. Raises `NotFound` if there is no such message yet."""
        return await self._write(self._trim, Trim(room, seq))

    # Reading.

    async def head(self, room: str) -> Head:
        return (await self.heads([room]))[0]

    async def heads(self, rooms: Sequence[str]) -> list[Head]:
        """Where rooms stand, in one query."""
        heads = await self._database.read(partial(log_pages.read_heads, rooms=rooms))
        for head in heads:
            self.heard(head.room, head.rev)
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
        """Messages before, after or around a seq, by seq; by default the latest."""
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
        """All that changed since (rev, epoch), or the `latest` messages if that can't be had whole.

        It goes on from the last row's rev until nothing is left, so a row that changes meanwhile is read again. Call
        it when the room's live events are held back already: what it does not hold, they bring.
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
            # What follows was changed in this server's epoch, which may be a later one than the client's.
            last, epoch = page.last_rev, page.head.epoch

    def heard(self, room: str, rev: int) -> None:
        """A room stands at `rev` at least: nobody is given an older page from now on. Call it for others' commits."""
        folded = fold(room)
        self._revs[folded] = max(rev, self._revs.get(folded, 0))
        self._revs.move_to_end(folded)
        if len(self._revs) > _REVS_KEPT:
            self._revs.popitem(last=False)

    def users_changed(self) -> None:
        """A user has another key: nobody is given a page that was read before."""
        self._generation += 1

    async def _read(self, read: Callable[..., Page], room: str, *position: Any) -> Page:
        folded = fold(room)
        page = await self._shared.get(
            (self._generation, read, folded, *position),
            self._revs.get(folded, 0),
            lambda: self._database.read(lambda transaction: read(transaction, room, *position)),
        )
        self.heard(room, page.head.rev)
        return page

    async def _change_message(self, change: MessageChange) -> Changed:
        outcome = await self._write(self._change, change)
        assert isinstance(outcome, Changed)
        return outcome

    async def _write(self, operation: Operation[R, T], request: R) -> T:
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        # Who stops waiting stops nothing: it will be committed, and everybody must hear of it.
        self._database.submit(operation, request, partial(self._note, partial(settle, answer)))
        return await answer

    def _note(self, answered: Callable[[Any], None], outcome: Outcome | Exception) -> None:
        try:
            if not isinstance(outcome, Exception):
                self.heard(outcome.room, outcome.rev)
                if self._committed is not None:
                    self._committed(outcome)
        finally:
            answered(outcome)


def _encoded(data: dict[str, Any] | None) -> str | None:
    return to_json(data).decode() if data is not None else None
