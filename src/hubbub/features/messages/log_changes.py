"""What can be asked of a room's log, and what the log answers. Plain values, without a database.

They are not frozen, since they are made for every message, and a frozen dataclass takes three times as long to make.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from hubbub.accounts.policies import Action
from hubbub.accounts.roles import RoomRole
from hubbub.store.base import Transaction
from hubbub.wire.identity import User
from hubbub.wire.members import FOR_EVER, RoomFields
from hubbub.wire.messages import ChangedEvent, MessageEvent
from hubbub.wire.rooms import RoomEvent


@dataclass(slots=True)
class Trim:
    """Forget the messages up to `seq`. No client can ask for it."""

    seq: int


@dataclass(slots=True)
class RoomChange:
    """A change of the room itself, as `log_access` does it.

    `users` are those whom it is about: a user who is connected, or the key of somebody whose row exists. `claims` says
    that keys are accounts of the application, which need not have come yet. `until` is in milliseconds since 1970.
    `finds` says that to make a room changes nothing, and is no conflict, if the user owns it already. `given` are the
    roles that the application gives to `users`, by folded key, if it says who is in the room. The log sets
    `identities`: of those who are something else from now on, by key.
    """

    action: Action
    users: Sequence[User | str] = ()
    role: RoomRole | None = None
    until: int = FOR_EVER
    fields: RoomFields | None = None
    claims: bool = False
    finds: bool = False
    given: Mapping[str, RoomRole] = field(default_factory=dict)
    identities: Mapping[str, str] = field(default_factory=dict)


C = TypeVar("C")
E = TypeVar("E", bound=MessageEvent | ChangedEvent | RoomEvent)


@dataclass(slots=True)
class ChangeRequest(Generic[C]):
    """What a user asks for in a room: a command that was validated, or `Trim`.

    It is made once, where the command comes in, and goes from there through the rules to the log. `room` is the room's
    key; it may be spelled differently in the command. If nobody has spoken in the room yet, the log keeps the spelling
    of `room`.
    """

    user: User
    room: str
    command: C
    of_anybody: bool = False
    """Whether the user may delete what others wrote."""
    given: RoomRole | None = None
    """What the application makes of the user, if it says who is in the room."""


@dataclass(slots=True)
class Changed(Generic[E]):
    """A request is done, and durable. Where it changed nothing, there is no event.

    `seq` is the message's; for `Trim`, the room's floor. A message that is sent again under the same key has the `seq`,
    `rev` and `ts` of the first time.
    """

    request: ChangeRequest[Any]
    room: str
    seq: int
    rev: int
    ts: str
    event: E | None


@dataclass(slots=True)
class Relayed:
    """A message was sent to the users who are in a room that stores nothing."""

    request: ChangeRequest[Any]
    room: str
    ts: str
    event: MessageEvent
    seq: None = None
    rev: None = None


Outcome = Changed[Any] | Relayed
Committing = Callable[[Transaction, Sequence[Changed[Any] | Exception]], None]
"""Is called in the transaction of a batch, at its end. What it raises fails the batch."""
