"""The engine port: what `Database` needs of a database engine.

An engine is synchronous. Its writer lives in one thread and its readers in a few others; only `Database` knows of
threads and of the event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from hubbub.store.statement import Statement

T = TypeVar("T")

TIMEOUT = 10.0
"""Seconds until a caller that waits for the database gets `Unavailable`, by default."""


class Transaction(Protocol):
    """A transaction: a function that reads or writes gets one. It ends when the function returns."""

    memory: dict[str, Any]
    """For what is looked up once, such as ids. It lives as long as the database connection. A transaction that fails
    empties it, so a transaction may also remember what it wrote itself."""
    is_alone: bool
    """Whether nobody else writes to this database, so that what is remembered of it stays true."""

    def rows(self, statement: Statement, **parameters: Any) -> list[Sequence[Any]]:
        """The rows that a statement gives."""

    def run(self, statement: Statement, **parameters: Any) -> None:
        """Run a statement that gives no rows. An engine may put off the work of a deferrable one, but not its
        durability: no other statement sees a difference."""


class Writer(Protocol):
    """The one connection that writes."""

    @property
    def has_deferred(self) -> bool:
        """Whether some durable rows are not in their tables yet, so that readers would miss them. The writer moves them
        there before its next statement that is not deferrable. This may be read in any thread, and is true before the
        transaction that defers the rows has returned."""

    def transact(self, work: Callable[[Transaction], T]) -> T:
        """Do `work` in a transaction; when this returns, it is durable. `work` may be called again after a rollback.

        Raises `Unavailable` if the database is at fault, and what `work` raises.
        """

    def rest(self, *, idle: bool) -> None:
        """Do upkeep between transactions, after their results were given out. `idle` if nothing waits to be written."""

    def close(self) -> None: ...


class Reader(Protocol):
    """A connection that only reads."""

    def snapshot(self, work: Callable[[Transaction], T]) -> T:
        """Do `work` on one snapshot of the database. Raises `Unavailable` if the database is at fault."""

    def close(self) -> None: ...


class Engine(Protocol):
    """A database of one kind. `prepare` comes first and `release` last."""

    is_shared: bool
    """Whether others than this process may write to it, or put an older one in its place, while it is open."""

    @property
    def problem(self) -> str | None:
        """Why nothing can be stored until a person does something, as `probe` has found it; None if no such problem is
        known."""

    def probe(self) -> None:
        """Check whether there is such a problem, without asking the database itself. It may be called in any thread,
        while the database is used."""

    @property
    def place(self) -> str:
        """Where it stores, in words for the log, without a password."""

    def prepare(self) -> None:
        """Lock the database if it needs that, and bring its schema up to date. Raises `ConfigurationError`,
        `Unavailable`."""

    def open_writer(self) -> Writer: ...

    def open_reader(self) -> Reader: ...

    def release(self) -> None:
        """Release what `prepare` has locked."""
