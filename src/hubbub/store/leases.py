"""Leases: let one node of a cluster do something that no other node does at the same time.

A lease is a row in the database that the nodes share: its owner, the number of this ownership, and until when it lasts.
Only the database's clock is asked for times, since the nodes' own may differ by minutes. The owner renews the lease;
another node takes it, under the next number, when it has run out or was given back.

An owner that was frozen cannot know that another node has taken over meanwhile. So its work carries the number under
which it is done, and the transaction that writes it checks that number (`Lease.guard`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from hubbub.errors import HubbubError, Unavailable
from hubbub.store.base import Transaction
from hubbub.store.database import Database
from hubbub.store.group_commit import Operation
from hubbub.store.statement import Statement

log = logging.getLogger("hubbub")

R = TypeVar("R")
T = TypeVar("T")

SECONDS = 10.0
"""Seconds that a lease lasts if it is not renewed. After a node died, nobody does its work for so long."""
ROUNDS = 3
"""How often a lease is renewed in that time."""
SHORTEST_PAUSE = 0.1

_NOW = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
_NAMES = {"names": {"name": str}}

# Only PostgreSQL runs these. Rows that exist are left out, since ON CONFLICT would wait for the end of another
# transaction that has changed such a row.
_MAKE = Statement(
    """
    INSERT INTO leases (name, owner, number, until) SELECT name, '', 0, 0 FROM {names} AS names
    WHERE NOT EXISTS (SELECT 1 FROM leases WHERE leases.name = names.name)
    ORDER BY name ON CONFLICT (name) DO NOTHING
    """,
    tables=_NAMES,
)
# A row that is locked is passed over: its owner is in the middle of its work, and may be frozen there.
_TAKE = Statement(
    f"""
    WITH free AS (
        SELECT leases.name FROM leases JOIN {{names}} AS names ON names.name = leases.name
        WHERE leases.owner = :owner OR leases.until <= {_NOW}
        ORDER BY leases.name FOR UPDATE OF leases SKIP LOCKED
    )
    UPDATE leases SET
        number = CASE WHEN leases.owner = :owner THEN leases.number ELSE leases.number + 1 END,
        owner = :owner, until = {_NOW} + :milliseconds
    FROM free WHERE leases.name = free.name
    RETURNING leases.name, leases.number
    """,  # noqa: S608 - of this module's own parts
    tables=_NAMES,
)
_OTHERS = Statement(
    f"""
    SELECT leases.name, leases.owner, leases.until - {_NOW}
    FROM leases JOIN {{names}} AS names ON names.name = leases.name
    WHERE leases.owner <> :owner
    """,  # noqa: S608 - as above
    tables=_NAMES,
)
_GIVE_BACK = Statement("UPDATE leases SET until = 0 WHERE owner = :owner")
_STANDS = Statement("SELECT 1 FROM leases WHERE name = :name AND owner = :owner AND number = :number FOR SHARE")


class LeaseLost(HubbubError):
    """Another node does this by now."""


class Lease:
    """A job that runs on one node at a time gets this. `number` rises with each new owner."""

    def __init__(self, name: str, owner: str, number: int) -> None:
        self.name = name
        self.number = number
        self._owner = owner
        self._until: float | None = None
        """In the loop's time; None if there are no other nodes."""
        self._work: asyncio.Timeout | None = None

    @property
    def is_over(self) -> bool:
        """Whether it ran out, as far as this node can know."""
        return self._until is not None and asyncio.get_running_loop().time() >= self._until

    def renew(self, until: float) -> None:
        self._until = until
        if self._work is not None and not self._work.expired():
            self._work.reschedule(until)

    @contextlib.asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """The block below is cancelled when the lease is over. Raises `LeaseLost` then."""
        try:
            async with asyncio.timeout_at(self._until) as self._work:
                yield
        except TimeoutError:
            if self._work is None or not self._work.expired():
                raise
            raise LeaseLost(f"the lease {self.name!r} ran out, and could not be renewed") from None
        finally:
            self._work = None

    def guard(self, operation: Operation[R, T]) -> Operation[R, T]:
        """The same operation, for `Database.write`. If another node has taken the lease, it does nothing, and each
        request is refused with `LeaseLost`. No node can take the lease until the transaction has ended."""

        def guarded(transaction: Transaction, requests: Sequence[R]) -> Sequence[T | Exception]:
            if not self._stands(transaction):
                return [LeaseLost(f"another node holds the lease {self.name!r}") for _ in requests]
            return operation(transaction, requests)

        return guarded

    async def transact(self, database: Database, *works: Callable[[Transaction], object]) -> None:
        """Do all of this in one guarded transaction. Raises `LeaseLost`, `Unavailable`."""

        def do_all(transaction: Transaction, requests: Sequence[None]) -> list[None]:
            for work in works:
                work(transaction)
            return [None] * len(requests)

        await database.write(self.guard(do_all), None)

    def _stands(self, transaction: Transaction) -> bool:
        if transaction.is_alone:
            return True
        return bool(transaction.rows(_STANDS, name=self.name, owner=self._owner, number=self.number))


class Leases:
    """The leases that one node wants. Call `keep` in a task, and `give_back` when the node stops.

    `shared` is the database in which nodes compete. Without one the node has all of them for ever, and pays nothing.
    """

    def __init__(self, shared: Database | None, owner: str, names: Sequence[str], *, seconds: float = SECONDS) -> None:
        self._database = shared
        self._owner = owner
        self._names = [(name,) for name in sorted(names)]
        self._seconds = seconds
        self._held = {name: Lease(name, owner, 0) for name in names} if shared is None else {}
        self._others: dict[str, str] = {}

    def held(self, name: str) -> Lease | None:
        """The lease, if this node has it."""
        lease = self._held.get(name)
        return None if lease is None or lease.is_over else lease

    def other_owner(self, name: str) -> str | None:
        """The other node that had the lease when the database was last asked; None if no other node had it."""
        return self._others.get(name)

    async def keep(self) -> None:
        """Renew what this node has and take what is free, until cancelled. Returns at once if nothing is shared."""
        while self._database is not None and self._names:
            pause = self._seconds / ROUNDS
            try:
                pause = min(pause, await self._renew_and_take(self._database))
            except Unavailable:  # the database has said so in the log
                self._others = {}
            except Exception:
                log.exception("leases could not be renewed")
            await asyncio.sleep(max(pause, SHORTEST_PAUSE))

    def give_back(self) -> None:
        """Let another node have them at once. The work must have ended."""
        self._names = []
        if self._database is not None and self._held:
            with contextlib.suppress(Unavailable):
                self._database.submit(_give_back, self._owner, lambda _: None)
            self._held.clear()

    async def _renew_and_take(self, database: Database) -> float:
        """Returns the seconds until the next lease of another node runs out."""
        # Measured before the database is asked, so that the lease never ends too late here.
        until = asyncio.get_running_loop().time() + self._seconds
        taken = await database.write(_take, _Asked(self._owner, self._names, round(self._seconds * 1000)))
        numbers = dict(taken.numbers)
        self._others = dict(taken.others)
        for name, lease in list(self._held.items()):
            if numbers.get(name) != lease.number:
                other = self._others.get(name)
                # Without another owner, the row was locked: the transaction of an earlier write has not ended.
                log.warning("the lease %s %s", name, f"was taken by node {other}" if other else "could not be renewed")
                self._held.pop(name).renew(0.0)
        for name, number in numbers.items():
            self._held.setdefault(name, Lease(name, self._owner, number)).renew(until)
        return taken.next


@dataclass(frozen=True, slots=True)
class _Asked:
    owner: str
    names: Sequence[tuple[str]]
    milliseconds: int


@dataclass(frozen=True, slots=True)
class _Taken:
    numbers: Sequence[tuple[str, int]]
    others: Sequence[tuple[str, str]]
    """Leases of other nodes, with their owners."""
    next: float


def _take(transaction: Transaction, requests: Sequence[_Asked]) -> list[_Taken]:
    return [_take_one(transaction, asked) for asked in requests]


def _take_one(transaction: Transaction, asked: _Asked) -> _Taken:
    if not transaction.memory.get("leases are made"):
        transaction.run(_MAKE, names=asked.names)
        transaction.memory["leases are made"] = True
    rows = transaction.rows(_TAKE, names=asked.names, owner=asked.owner, milliseconds=asked.milliseconds)
    others = transaction.rows(_OTHERS, names=asked.names, owner=asked.owner)
    return _Taken(
        [(name, number) for name, number in rows],
        [(name, owner) for name, owner, rest in others if rest > 0],
        min((rest / 1000 for _, _, rest in others), default=float("inf")),
    )


def _give_back(transaction: Transaction, owners: Sequence[Any]) -> list[None]:
    for owner in owners:
        transaction.run(_GIVE_BACK, owner=owner)
    return [None] * len(owners)
