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
    """A congested connection has missed what came after this position; None where positions are not kept."""

    position: int | None


@dataclass(slots=True)
class Held:
    """What is kept from a connection while it is brought up to date."""

    kept: list[Publication] = field(default_factory=list)
    holds: int = 1
    """How many holds must end first: what is read for one reason may overlap with what is read for another."""
    gap: Gap | None = None
    """What it had missed already when it was held."""
    after: int | None = None
    """The position up to which each of the holds has read, at least."""


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
        """The live ones, by format, and what writes to each."""
        self.answers: dict[Connection, list[Any]] = {}
        """What goes out to one of them together with `pending`."""
        self.congested: dict[Connection, Gap | None] = {}
        """Those left out for now, and what they have missed that must be recovered."""
        self.held: dict[Connection, Held] = {}
        """Those who are catching up, and what has been published meanwhile: they get it afterwards."""
        self.pending: dict[Format, list[bytes]] = {}
        """What this turn of the loop delivered, in each format that somebody here uses."""
        self.recoverable = False
        """Whether any of `pending` must be recovered by those who miss it."""
        self.delivered: int | None = None
        """The position of the latest publication."""
        self.position: int | None = None
        """The position up to which everybody but the congested has been written to."""
        self.flush: Iterator[int] | None = None
        """A flush that waits for its next turn."""
        self.unwritten: dict[Format, Gap | None] = {}
        """What those miss who are set aside in the middle of a flush: its later chunks."""
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
