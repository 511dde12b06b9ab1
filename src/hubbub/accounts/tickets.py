"""Tickets: a page shows one in the address of its WebSocket, in place of a credential that no log may see.

A ticket is good once, for 30 seconds. Only its hash is stored: with the others' nodes in the database, otherwise in
memory.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from hubbub.accounts.identity import Authenticated
from hubbub.errors import Unauthenticated, Unavailable
from hubbub.store.base import Transaction
from hubbub.store.database import Database
from hubbub.store.statement import Statement
from hubbub.wire.identity import Role, User

LASTS = 30.0
MOST_IN_MEMORY = 100_000

TABLES = ("CREATE TABLE tickets (digest TEXT PRIMARY KEY, made BIGINT NOT NULL, who TEXT NOT NULL)",)

_NOW = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
# Only PostgreSQL runs these.
_ADD = Statement(
    f"INSERT INTO tickets (digest, made, who) VALUES (:digest, {_NOW}, :who)",  # noqa: S608 - this module's own part
    never_deferred=True,
)
_TAKE = Statement(
    f"DELETE FROM tickets WHERE digest = :digest RETURNING who, {_NOW} - made, made",  # noqa: S608 - as above
    never_deferred=True,
)
_FORGET = Statement(f"DELETE FROM tickets WHERE made < {_NOW} - :lasts", never_deferred=True)  # noqa: S608 - as above


class HasEnded(Protocol):
    def __call__(self, who: Authenticated, made: float, /) -> bool:
        """Whether this identity was revoked since then (seconds since 1970)."""


class Tickets:
    """Use it in one event loop. `shared` is the database of all nodes, None if there is one node."""

    def __init__(self, shared: Database | None, *, clock: Callable[[], float], has_ended: HasEnded) -> None:
        self._shared = shared
        self._clock = clock
        self._has_ended = has_ended
        self._in_memory: dict[str, tuple[float, Authenticated]] = {}

    async def make(self, who: Authenticated) -> str:
        """A new ticket for this identity. Raises `Unavailable`."""
        ticket = secrets.token_urlsafe(24)
        if self._shared is not None:
            await self._shared.write(_add, (_digest(ticket), _written(who)))
            return ticket
        self._forget_old()
        if len(self._in_memory) >= MOST_IN_MEMORY:
            raise Unavailable("too many tickets wait to be used", retry_after=5_000)
        self._in_memory[_digest(ticket)] = (self._clock(), who)
        return ticket

    async def take(self, ticket: str) -> Authenticated:
        """Whose ticket it is. It is worth nothing from now on. Raises `Unauthenticated`, `Unavailable`."""
        digest = _digest(ticket)
        found: tuple[Authenticated, float, float] | None = None
        if self._shared is None:
            if (kept := self._in_memory.pop(digest, None)) is not None:
                age = self._clock() - kept[0]
                found = kept[1], age, time.time() - age
        elif (row := await self._shared.write(_take, digest)) is not None:
            # When it was made is asked of the clock that says when somebody was revoked.
            found = _read(row[0]), row[1] / 1000, row[2] / 1000
        if found is None or found[1] > LASTS or self._has_ended(found[0], found[2]):
            raise Unauthenticated("this ticket is not good: it was used, or 30 seconds have passed")
        return found[0]

    def _forget_old(self) -> None:
        # The oldest comes first.
        while self._in_memory and self._clock() - next(iter(self._in_memory.values()))[0] > LASTS:
            del self._in_memory[next(iter(self._in_memory))]


def forget_old(transaction: Transaction) -> None:
    """Only for a database that nodes share."""
    transaction.run(_FORGET, lasts=int(2 * LASTS * 1000))


def _add(transaction: Transaction, tickets: Sequence[tuple[str, str]]) -> list[None]:
    for digest, who in tickets:
        transaction.run(_ADD, digest=digest, who=who)
    return [None] * len(tickets)


def _take(transaction: Transaction, digests: Sequence[str]) -> list[Sequence[Any] | None]:
    return [next(iter(transaction.rows(_TAKE, digest=digest)), None) for digest in digests]


def _digest(ticket: str) -> str:
    return hashlib.sha256(ticket.encode("utf-8", "surrogatepass")).hexdigest()


def _written(who: Authenticated) -> str:
    user = who.user
    return json.dumps([user.key, user.name, user.role, user.scopes, who.expires, who.session, who.scopes, user.color])


def _read(text: str) -> Authenticated:
    key, name, role, allowed, expires, session, scopes, color = json.loads(text)
    user = User(key, name, role=Role(role), scopes=tuple(allowed) if allowed is not None else None, color=color)
    return Authenticated(user, expires, session, tuple(scopes) if scopes is not None else None)
