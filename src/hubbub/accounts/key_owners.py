"""Asks the database who owns a key, when somebody connects.

Questions share queries (`store/questions.py`). The answers are not kept, since a key without an owner may get one
later. Two things are kept. That an account owns its key never changes. And if no other process writes to the database,
the keys that were asked about or owned are known: any other key has no owner.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from hubbub.accounts.seen_keys import SeenKeys
from hubbub.accounts.users import Person, keys_after, known_guests, owners_of_keys
from hubbub.errors import Conflict, Unavailable
from hubbub.store.base import Transaction
from hubbub.store.database import Database
from hubbub.store.questions import Questions
from hubbub.store.threads import settle
from hubbub.wire.identity import User
from hubbub.wire.keys import fold

DEADLINE = 5.0
"""Seconds in which the database must say who owns a key. After that the client is told to come back later."""
_ACCOUNTS_KEPT = 50_000
_KEYS_PER_READ = 5_000

Answer = tuple[Person | None, Person | None]
"""Who owns the key, and the row of the identity."""


class ClaimKey(Protocol):
    def __call__(self, user: User, answered: Callable[[Exception | None], None], /) -> None:
        """Store that this account owns its key."""


_Question = tuple[str, str | None]
"""A folded key, and a guest's identity if that is given."""
_LATE = "the database does not say whose name this is; come back later"


class KeyOwners:
    """Use it in one event loop, while the database is open. `claim` stores that an account owns its key."""

    def __init__(self, database: Database, *, claim: ClaimKey, deadline: float | None = None) -> None:
        self._database = database
        self._claim = claim
        self._deadline = DEADLINE if deadline is None else deadline
        self._questions: Questions[_Question, Answer] = Questions(
            database, _look_up, deadline=self._deadline, late=_LATE
        )
        self._accounts: dict[str, None] = {}
        self._seen: SeenKeys | None = SeenKeys()
        self._has_seen_all = False

    async def see_all(self) -> None:
        """Learn which keys have owners. Call it if no other process writes to the database."""
        seen, last = self._seen, 0
        with contextlib.suppress(Unavailable):
            while seen is not None and not self._has_seen_all:
                read = partial(keys_after, id=last, limit=_KEYS_PER_READ)
                rows = await self._database.read(read, never_deferred=True)
                for _, folded in rows:
                    seen.add(folded)
                last = rows[-1][0] if rows else last
                self._has_seen_all = len(rows) < _KEYS_PER_READ

    def distrust(self) -> None:
        """A user was given a key that was never asked about. From now on, ask the database about every key."""
        self._seen = None

    async def look_up(self, folded: str, identity: str | None = None) -> Answer:
        """Who owns a folded key; and the row of a guest's identity, if that is given.

        Raises `Unavailable` if the database cannot say so in time.
        """
        if self._seen is not None:
            is_new = self._seen.add(folded)
            if is_new and self._has_seen_all:
                return None, None
        return await self._questions.ask((folded, identity))

    async def claim(self, account: User) -> bool:
        """An account owns its key from its first connection on. True if a guest's row has made way for it just now.

        Raises `Unavailable` if the database cannot store it in time, `Conflict` for an application's own guest whose
        key is somebody else's.
        """
        folded = fold(account.key)
        if folded in self._accounts and not account.identity:
            return False
        owner, _ = await self.look_up(folded)
        if account.identity:
            if owner is not None and owner.identity != account.identity:
                raise Conflict(f"the key {account.key!r} is somebody else's")
            return False
        if owner is None or owner.identity:
            if owner is not None:
                self.distrust()
            loop = asyncio.get_running_loop()
            stored: asyncio.Future[None] = loop.create_future()
            self._claim(account, partial(settle, stored))
            too_late = loop.call_later(self._deadline, settle, stored, Unavailable(_LATE, retry_after=2_000))
            try:
                await stored
            finally:
                too_late.cancel()
        if len(self._accounts) >= _ACCOUNTS_KEPT:
            self._accounts.clear()
        self._accounts[folded] = None
        return owner is not None and owner.identity != ""


def _look_up(transaction: Transaction, questions: Sequence[_Question]) -> list[Answer]:
    owners = owners_of_keys(transaction, {folded for folded, _ in questions})
    guests = known_guests(transaction, {identity for _, identity in questions if identity})
    return [(owners.get(folded), guests.get(identity or "")) for folded, identity in questions]
