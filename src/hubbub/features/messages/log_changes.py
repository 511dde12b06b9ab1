"""What can be asked of a room's log, and what comes of it. Plain values, without a database.

They are made for every message, so they are not frozen: that takes Python three times as long.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from hubbub.store.base import Transaction
from hubbub.wire.identity import User
from hubbub.wire.messages import ChangedEvent, MessageEvent
from hubbub.wire.rooms import RoomEvent


@dataclass(slots=True)
class Trim:
    """Forget the messages up to `seq`. No client can ask for it."""

    seq: int


C = TypeVar("C")
E = TypeVar("E", bound=MessageEvent | ChangedEvent | RoomEvent)


@dataclass(slots=True)
class ChangeRequest(Generic[C]):
    """What a user asks for in a room: a command that was validated, or `Trim`.

    It is made once, where the command comes in, and is what the rules, the log and the features are given. `room` is
    the room's key as it is to be shown if nobody has spoken in it yet; it may be spelled otherwise than the command's.
    """

    user: User
    room: str
    command: C
    of_anybody: bool = False
    """Whether the user may delete what others wrote."""


@dataclass(slots=True)
class Changed(Generic[E]):
    """A request is done, and durable. Where it changed nothing, there is no event.

    Of a message that is sent, and of one that is sent again under the same key, `seq`, `rev` and `ts` are those of the
    first time. For a change of a message, `rev` is that of its latest change; for `Trim`, `seq` is the new floor.
    """

    request: ChangeRequest[Any]
    room: str
    seq: int
    rev: int
    ts: str
    event: E | None


@dataclass(slots=True)
class Relayed:
    """A message was handed to whoever is in a room that stores nothing."""

    request: ChangeRequest[Any]
    room: str
    ts: str
    event: MessageEvent
    seq: None = None
    rev: None = None


Outcome = Changed[Any] | Relayed
Committing = Callable[[Transaction, Sequence[Changed[Any] | Exception]], None]
"""Takes part in the transaction of a batch. What it raises fails the batch."""
