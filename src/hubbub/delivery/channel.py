"""A channel: an address, its subscribers, and the bytes that are on their way to them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hubbub.delivery.connection import Connection
from hubbub.delivery.formats import Format
from hubbub.wire.publication import Publication

Write = Callable[[Any], None]


class Gap(NamedTuple):
    """A congested connection has missed what came after this position. None if the channel has no positions."""

    position: int | None


@dataclass(slots=True)
class Held:
    """What is kept for a connection while it catches up: it is written later."""

    kept: list[Publication] = field(default_factory=list)
    holds: int = 1
    """How many holds must end first. Several can be on one connection at the same time."""
    gap: Gap | None = None
    """What it had missed before it was held."""
    after: int | None = None
    """The lowest position up to which the holds have read."""


class Channel:
    """An address, and the connections that are subscribed to it.

    `writers`, `congested` and `held` say which membership each of them has. Only `membership.py` changes that.
    """

    __slots__ = (
        "answers",
        "congested",
        "delivered",
        "flush",
        "held",
        "joining",
        "name",
        "opened",
        "pending",
        "position",
        "recoverable",
        "unwritten",
        "writers",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.writers: dict[Format, dict[Connection, Write]] = {}
        """The live connections, by format, with the function that writes to each."""
        self.answers: dict[Connection, list[Any]] = {}
        """Answers to single connections, which leave together with `pending`."""
        self.congested: dict[Connection, Gap | None] = {}
        """The congested connections, with the gap that must be recovered; None if they have missed nothing yet."""
        self.held: dict[Connection, Held] = {}
        """The connections that are catching up, with what was published meanwhile: they get it afterwards."""
        self.pending: dict[Format, list[bytes]] = {}
        """What was delivered in this turn of the loop, in each format that a subscriber uses."""
        self.recoverable = False
        """Whether a connection that misses `pending` must recover it."""
        self.delivered: int | None = None
        """The position of the latest publication."""
        self.position: int | None = None
        """The position up to which all connections except the congested ones have been written to."""
        self.flush: Iterator[int] | None = None
        """A flush that is not finished, and waits for its next turn."""
        self.unwritten: dict[Format, Gap | None] = {}
        """What a connection misses that becomes congested during a flush: the later chunks."""
        self.opened: asyncio.Future[None] | None = None
        self.joining = 0

    @property
    def is_empty(self) -> bool:
        return not (self.writers or self.congested or self.held or self.joining)

    @property
    def count(self) -> int:
        return sum(map(len, self.writers.values())) + len(self.congested) + len(self.held)

    def subscribers(self) -> Iterator[Connection]:
        for writers in self.writers.values():
            yield from writers
        yield from self.congested
        yield from self.held
