"""The engine port: what a database must offer so that `Database` can build on it.

An engine is synchronous. Its writer lives in one thread and its readers in a few others; only `Database` knows of
threads and of the event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from hubbub.store.statement import Statement

T = TypeVar("T")

TIMEOUT = 10.0
"""Seconds until who waits for the database is answered `Unavailable`, if nobody says otherwise."""


class Transaction(Protocol):
    """What a function that reads or writes is given. It is over when the function returns."""

    memory: dict[str, Any]
    """Lives as long as the connection behind it: for what is looked up once, such as ids. A transaction that fails
    empties it, so what this very one wrote may be put in it too."""
    is_alone: bool
    """Whether nobody else writes to this database: what is remembered of it then stays true."""

    def rows(self, statement: Statement, **parameters: Any) -> list[Sequence[Any]]:
        """The rows that a statement gives."""

    def run(self, statement: Statement, **parameters: Any) -> None:
        """Run a statement that gives no rows. A deferrable one is durable with this transaction, and done before any
        statement that could see the difference."""


class Writer(Protocol):
    """The one connection that writes."""

    @property
    def has_deferred(self) -> bool:
        """Whether readers would miss something that is durable, until some statement of the writer brings it into its
        tables. It may be read in any thread, and is true before the transaction that makes it so has returned."""

    def transact(self, work: Callable[[Transaction], T]) -> T:
        """Do `work` in a transaction; when this returns, it is durable. `work` may be called again after a rollback.

        Raises `Unavailable` where the database, not the work, is at fault; anything else comes from `work` itself.
        """

    def rest(self, *, idle: bool) -> None:
        """Upkeep between transactions, when their results are out; `idle` if nothing is waiting to be written."""

    def close(self) -> None: ...


class Reader(Protocol):
    """A connection that only reads."""

    def snapshot(self, work: Callable[[Transaction], T]) -> T:
        """Do `work` on one unmoving state of the database. Raises `Unavailable` where the database is at fault."""

    def close(self) -> None: ...


class Engine(Protocol):
    """A database of one kind. `prepare` comes first and `release` last."""

    is_shared: bool
    """Whether others than this process may write to it, or put an older one in its place, while it is open."""

    @property
    def problem(self) -> str | None:
        """Why nothing can be stored until a person does something, by the last look; None if nothing is known."""

    def look(self) -> None:
        """See whether there is such a problem, without asking the database itself. It may be called in any thread,
        while the database is used."""

    @property
    def place(self) -> str:
        """Where it stores, in words for the log; no password."""

    def prepare(self) -> None:
        """Take hold of the database and bring its schema up to date. Raises `ConfigurationError`, `Unavailable`."""

    def open_writer(self) -> Writer: ...

    def open_reader(self) -> Reader: ...

    def release(self) -> None:
        """Let go of what `prepare` took."""
