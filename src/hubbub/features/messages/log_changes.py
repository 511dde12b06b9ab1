"""What can be asked of a room's log, and what comes of it. Plain values, without a database.

They are made for every message, so they are not frozen: that takes Python three times as long.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from hubbub.store.base import Transaction
from hubbub.wire.keys import fold
from hubbub.wire.messages import ChangedEvent, MessageEvent
from hubbub.wire.rooms import RoomEvent


@dataclass(slots=True)
class Author:
    """Who asks for a change.

    `identity` tells a guest from an earlier guest of the same key; it is empty for those who have an account. Two
    identities are two people, with no rights on each other's messages.
    """

    key: str
    name: str
    identity: str = ""
    address: tuple[str, str] = field(init=False, repr=False, compare=False)
    """What is unique about them."""

    def __post_init__(self) -> None:
        self.address = (fold(self.key), self.identity)


@dataclass(slots=True)
class Send:
    author: Author
    room: str
    text: str
    kind: Literal["text", "system"] = "text"
    key: str | None = None
    reply_to: int | None = None
    data: str | None = None
    """The application's object as JSON."""

    def digest(self) -> int:
        """Tells this content from another that comes under the same key; a signed 64-bit number."""
        content = repr((self.text, self.reply_to, self.data)).encode(errors="surrogatepass")
        return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big", signed=True)


@dataclass(slots=True)
class Edit:
    author: Author
    room: str
    seq: int
    text: str


@dataclass(slots=True)
class Delete:
    author: Author
    room: str
    seq: int
    of_anybody: bool = False
    """Whether the author may delete what others wrote."""


@dataclass(slots=True)
class React:
    author: Author
    room: str
    seq: int
    emoji: str
    on: bool


@dataclass(slots=True)
class Pin:
    author: Author
    room: str
    seq: int
    on: bool


@dataclass(slots=True)
class Trim:
    """Forget the messages up to `seq`."""

    room: str
    seq: int


MessageChange = Edit | Delete | React | Pin
Request = Send | MessageChange


@dataclass(slots=True)
class Sent:
    """A message is durable. A repeat under the same key gets the numbers of the first time, and no event."""

    room: str
    seq: int
    rev: int
    ts: str
    event: MessageEvent | None

    @property
    def is_duplicate(self) -> bool:
        return self.event is None


@dataclass(slots=True)
class Changed:
    """A change is durable. Where it changed nothing there is no event, and `rev` is that of the latest change."""

    room: str
    rev: int
    event: ChangedEvent | RoomEvent | None


Outcome = Sent | Changed
Committing = Callable[[Transaction, Sequence[Outcome | Exception]], None]
"""Takes part in the transaction of a batch. What it raises fails the batch."""
