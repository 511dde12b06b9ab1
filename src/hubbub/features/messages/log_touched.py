"""What a batch of changes touches: users, locked rooms and messages. Each is read once for all requests. Rooms, and
messages from before the batch, are written back if they changed.

A room is locked before anything else of it is read, so what is read is the latest, and numbers rise in the order of the
commits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from hubbub.accounts.policies import Action
from hubbub.accounts.roles import is_restricted
from hubbub.accounts.users import Person
from hubbub.errors import NotFound
from hubbub.features.messages import log_sql as sql
from hubbub.features.messages.log_changes import Changed, ChangeRequest, RoomChange
from hubbub.features.messages.log_epochs import keep_ends
from hubbub.features.messages.log_people import people_of, remembered
from hubbub.store.base import Transaction
from hubbub.wire.base import timestamp_of
from hubbub.wire.keys import fold
from hubbub.wire.messages import ChangedEvent, SendMessage

if TYPE_CHECKING:
    from hubbub.features.messages.log_guard import Guard

C = TypeVar("C")

Asked = Sequence[tuple[ChangeRequest[C], Person]]
"""Requests, each with the row of the user who asks."""


@dataclass(slots=True)
class Head:
    """A locked room."""

    id: int
    key: str
    seq: int
    rev: int
    floor: int
    guarded: int = 0
    """Whether it has settings (`features/rooms/access_rows.py`)."""
    is_moved: bool = False
    """Whether this batch has changed it."""
    guard: Guard | None = None
    """Its settings, if it has some and this batch is about it."""

    def next_rev(self) -> int:
        self.is_moved = True
        self.rev += 1
        return self.rev


@dataclass(slots=True)
class Message:
    """A message that the batch sends, changes or quotes."""

    room_id: int
    seq: int
    rev: int
    user_id: int
    text: str
    edited: int | None
    deleted: int | None
    pinned: int | None
    reactions: str | None
    user_key: str
    name: str
    is_changed: bool = False


class Touched:
    """Call `read` first; after the rules, `write_heads` and `write_messages`. `now` is in milliseconds since 1970."""

    def __init__(self, transaction: Transaction, *, now: int) -> None:
        self.transaction = transaction
        self.now = now
        self.ts = timestamp_of(now)
        self.heads: dict[str, Head] = {}
        """The keys are spelled as in the requests."""
        self.messages: dict[tuple[int, int], Message] = {}
        self.targets: set[tuple[int, int]] = set()
        """Room id and seq of the messages that the requests are about. Some of them may be sent by this batch."""

    def read(self, requests: Sequence[ChangeRequest[Any]]) -> list[tuple[ChangeRequest[Any], Person]]:
        """Find and lock everything that the requests touch. A room is added if it is missing and a message is sent to
        it.

        Returns the requests, in their order, with the rows of their users.
        """
        people = people_of(self.transaction, [request.user for request in requests])
        self._lock_rooms({request.room for request in requests}, {one.room for one in requests if _may_add(one)})
        about = [(request.room, _seq_of(request.command)) for request in requests]
        self.targets = {(self.heads[room].id, seq) for room, seq in about if seq is not None and room in self.heads}
        if self.targets:
            found = [Message(*row) for row in self.transaction.rows(sql.FIND_MESSAGES, wanted=sorted(self.targets))]
            self.messages = {(message.room_id, message.seq): message for message in found}
        return list(zip(requests, people, strict=True))

    # For the rules.

    def message(self, head: Head, seq: int, *, or_deleted: bool = False) -> Message:
        """The message that a request is about. Raises `NotFound`."""
        message = self.messages.get((head.id, seq))
        if message is None or seq <= head.floor:
            raise NotFound(f"there is no message {seq} in room {head.key!r}", room=head.key)
        if message.deleted is not None and not or_deleted:
            raise NotFound(f"message {seq} was deleted", room=head.key)
        return message

    def changed(
        self, head: Head, message: Message, person: Person, request: ChangeRequest[Any], **fields: Any
    ) -> Changed[ChangedEvent]:
        """A message was changed: it gets the room's next rev. `fields` are those of the event for everybody."""
        message.rev = rev = head.next_rev()
        message.is_changed = True
        event = ChangedEvent(room=head.key, seq=message.seq, rev=rev, user=person.key, **fields)
        return Changed(request, head.key, message.seq, rev, self.ts, event)

    def unchanged(self, head: Head, message: Message, request: ChangeRequest[Any]) -> Changed[ChangedEvent]:
        """A message is already as the request wants it."""
        return Changed(request, head.key, message.seq, message.rev, self.ts, None)

    def buried(self) -> list[Message]:
        """The messages that this batch has deleted."""
        return [one for one in self.messages.values() if one.is_changed and one.deleted is not None]

    # Writing.

    @property
    def has_changed(self) -> bool:
        return any(head.is_moved for head in self.heads.values())

    def write_heads(self) -> None:
        moved = {head.id: head for head in self.heads.values() if head.is_moved}
        heads = [(id, head.seq, head.rev) for id, head in sorted(moved.items())]
        self.transaction.run(sql.MOVE_HEADS, head=heads)
        for head in moved.values():
            head.is_moved = False

    def write_messages(self) -> None:
        alive = [
            (message.room_id, message.seq, message.rev, message.text, message.edited, message.pinned, message.reactions)
            for message in self.messages.values()
            if message.is_changed and message.deleted is None
        ]
        if alive:
            self.transaction.run(sql.CHANGE_MESSAGES, changed=alive)

    # Rooms.

    def _lock_rooms(self, spellings: set[str], spoken_in: set[str]) -> None:
        folded_of = {room: fold(room) for room in spellings}
        wanted = set(folded_of.values())
        heads = self._remembered_heads(wanted)
        if missing := wanted.difference(heads):
            heads |= self._locked_heads(missing, {folded_of[room]: room for room in spoken_in})
        self.heads = {room: heads[folded] for room, folded in folded_of.items() if folded in heads}

    def _remembered_heads(self, wanted: set[str]) -> dict[str, Head]:
        """If nobody else writes, they need not be read and locked again."""
        if not self.transaction.is_alone:
            return {}
        known = remembered(self.transaction, "heads")
        return {folded: known[folded] for folded in wanted if folded in known}

    def _locked_heads(self, wanted: set[str], spoken_in: dict[str, str]) -> dict[str, Head]:
        known = remembered(self.transaction, "rooms")
        ids = {folded: known[folded] for folded in wanted if folded in known}
        added: list[str] = []
        if missing := sorted(wanted - set(ids)):
            ids |= self._room_ids(missing)
            added = [folded for folded in missing if folded in spoken_in and folded not in ids]
            if added:
                self.transaction.run(sql.ADD_ROOMS, added=[(spoken_in[folded], folded) for folded in added])
                ids |= self._room_ids(added)
            known |= ids
        if not ids:
            return {}
        keep_ends(self.transaction, [ids[folded] for folded in ids if folded not in added])
        locked = self.transaction.rows(sql.LOCK_ROOMS, wanted=_column(sorted(ids.values())))
        heads = {fold(row[1]): Head(*row) for row in locked}
        if self.transaction.is_alone:
            remembered(self.transaction, "heads").update(heads)
        return heads

    def _room_ids(self, folded: Sequence[str]) -> dict[str, int]:
        return {key: id for id, key in self.transaction.rows(sql.FIND_ROOMS, wanted=_column(folded))}


def _may_add(request: ChangeRequest[Any]) -> bool:
    """Whether the room is added if it is missing. A private or direct one is only added when it is made."""
    command = request.command
    if type(command) is RoomChange and command.action in {Action.CREATE, Action.DIRECT}:
        return True
    if type(command) is RoomChange and command.action is Action.LEAVE_ROOM:
        return False
    return type(command) in {SendMessage, RoomChange} and not is_restricted(fold(request.room))


def _seq_of(command: Any) -> int | None:
    if type(command) is SendMessage:
        return command.reply_to
    return None if type(command) is RoomChange else command.seq


def _column(values: Sequence[Any]) -> list[tuple[Any]]:
    return [(value,) for value in values]
