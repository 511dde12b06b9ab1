"""Users whose credentials were revoked, and when: a token that was issued before proves nothing any more.

A token is signed, and is stored nowhere, so it cannot be taken back one by one. What is kept is a time for each user
who was revoked. No token is taken that is older than `TOKENS_LAST`, so a time is not needed for longer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hubbub.accounts.access_changes import AccessChange, AccessChanges, AccessKind, changed
from hubbub.store.base import Transaction
from hubbub.store.database import Database
from hubbub.store.statement import Statement
from hubbub.wire.keys import fold

TOKENS_LAST = 30 * 24 * 3600.0
"""Seconds. No token is taken that was issued longer ago."""

TABLES = ("CREATE TABLE revoked_users (folded TEXT PRIMARY KEY, at BIGINT NOT NULL)",)

_KEEP = Statement(
    """
    INSERT INTO revoked_users (folded, at) VALUES (:folded, :at)
    ON CONFLICT (folded) DO UPDATE SET at = excluded.at WHERE excluded.at > revoked_users.at
    """,
    never_deferred=True,
)
_ALL = Statement(
    "SELECT folded, at FROM revoked_users WHERE at > :since", columns=("folded", "at"), never_deferred=True
)
_FORGET = Statement("DELETE FROM revoked_users WHERE at < :until", never_deferred=True)

EndAll = Callable[[Transaction, str], None]
"""Ends what a user has in a table, such as log-ins, in the transaction of the revocation. It gets the folded key."""


class Revocations:
    """Use it in one event loop. Nothing is stored without a database; then a restart forgets what was revoked."""

    def __init__(self, changes: AccessChanges, database: Database | None, *, clock: Callable[[], float]) -> None:
        self._changes = changes
        self._database = database
        self._clock = clock
        self._revoked: dict[str, float] = {}
        self._also: list[EndAll] = []
        changes.listen(AccessKind.USER, self._take)

    async def start(self) -> None:
        """Raises `Unavailable`."""
        if self._database is None:
            return
        since = int((self._clock() - TOKENS_LAST) * 1000)
        rows = await self._database.read(lambda transaction: transaction.rows(_ALL, since=since), never_deferred=True)
        self._revoked = {folded: at / 1000 for folded, at in rows}

    def also(self, end: EndAll) -> None:
        """Let every revocation of a user do this as well."""
        self._also.append(end)

    def is_revoked(self, key: str, issued: float) -> bool:
        """Whether what was issued to this user at this time (seconds since 1970) was revoked later."""
        at = self._revoked.get(fold(key)) if self._revoked else None
        return at is not None and issued <= at

    async def revoke(self, key: str) -> None:
        """Returns when it is durable that nothing counts that this user has shown until now. Every node is told.

        Raises `Unavailable`.
        """
        if self._database is None:
            self._changes.tell_of(AccessKind.USER, fold(key))
            return
        self._changes.tell(await self._database.write(self._store, fold(key)))

    def revoke_in(self, transaction: Transaction, folded: str) -> AccessChange:
        """`revoke` as a part of another transaction. Give the result to `AccessChanges.tell` after its commit."""
        for end in self._also:
            end(transaction, folded)
        change = changed(transaction, AccessKind.USER, folded)
        transaction.run(_KEEP, folded=folded, at=round(change.at * 1000))
        return change

    def forget_old(self, transaction: Transaction) -> None:
        """Delete what no token needs any more."""
        transaction.run(_FORGET, until=int((self._clock() - TOKENS_LAST) * 1000))

    def _store(self, transaction: Transaction, folded: Sequence[str]) -> list[AccessChange]:
        return [self.revoke_in(transaction, one) for one in folded]

    def _take(self, change: AccessChange) -> None:
        self._revoked[change.subject] = max(change.at, self._revoked.get(change.subject, 0.0))
