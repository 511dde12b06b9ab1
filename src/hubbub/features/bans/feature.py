"""The feature of bans from the server: it stores them, lets every node know them, and ends connections. Who lets
somebody in asks `bans`: `http/admission.py`, and the log-in. The rules are in `accounts/bans.py`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from hubbub.accounts.access_changes import AccessChange, AccessKind
from hubbub.accounts.bans import TABLES, Ban, Bans, bans_now, forget_old_bans, lift_ban, put_ban
from hubbub.accounts.users import owners_of_keys
from hubbub.delivery.connection import Connection
from hubbub.errors import Conflict, NotFound
from hubbub.features.access.feature import AccessFeature
from hubbub.features.access.rereading import Rereading
from hubbub.features.feature import Feature, Services
from hubbub.features.jobs import Job, LeasedJob
from hubbub.store.base import Transaction
from hubbub.store.database import Database
from hubbub.store.leases import Lease
from hubbub.wire.codes import CloseCode
from hubbub.wire.identity import Role, User
from hubbub.wire.keys import fold

if TYPE_CHECKING:
    from fastapi import APIRouter

TIDY = 3600.0

IsAdministrator = Callable[[Transaction, str], bool]
"""Whether the account with this key administers the server. It is alone in changing that until the transaction ends."""


class BansFeature(Feature):
    name = "hubbub.bans"
    scripts = TABLES

    def __init__(self) -> None:
        self.bans = Bans()
        self.is_administrator: IsAdministrator | None = None
        """Set by the feature that has accounts."""

    def open(self, services: Services) -> None:
        super().open(services)
        self.bans = Bans()
        self._changes = services.feature(AccessFeature).changes
        self._rereading = Rereading(self._changes, AccessKind.BAN, self._read)

    async def start(self) -> None:
        await self._rereading.now()

    def jobs(self) -> Iterable[Job | LeasedJob]:
        yield self._rereading.job
        if self.services.database is not None:
            yield LeasedJob("hubbub.bans: remove what has ended", TIDY, self._forget_old)

    def routes(self, router: APIRouter, hub: Any) -> None:
        from hubbub.features.bans.routes import add_routes

        add_routes(router, hub, self)

    def end_if_banned(self, connection: Connection) -> None:
        """Close a connection whose user may not be here. A ban may have come while it was let in."""
        ban = self.bans.of(connection.user)
        if ban is not None:
            connection.close(CloseCode.FORBIDDEN, ban.sentence)

    async def all(self) -> list[Ban]:
        """Those that hold now, the newest first. Raises `NotFound` if nothing is stored, `Unavailable`."""
        return await self._database.read(bans_now, never_deferred=True)

    async def ban(self, key: str, *, by: User, until: int, reason: str | None = None) -> None:
        """Returns when it is durable, and this node's connections are closed; those of other nodes are within a second.
        `until` is in milliseconds since 1970.

        Raises `Conflict` for oneself and for an administrator, so nobody is left without one; `NotFound` if nobody has
        this key or nothing is stored here, `Unavailable`.
        """
        if fold(key) == fold(by.key):
            raise Conflict("you cannot ban yourself")
        here = [connection.user for connection in self.services.fanout.connections.of_user(key)]
        at = time.time_ns() // 1_000_000

        def store(transaction: Transaction) -> AccessChange:
            # The database says whose the key is; somebody who has said nothing yet may be connected nevertheless.
            person = owners_of_keys(transaction, [fold(key)]).get(fold(key)) or next(iter(here), None)
            if person is None:
                raise NotFound(f"there is no user {key[:64]!r}, or they have not said anything yet")
            is_administrator = any(user.role is Role.ADMIN for user in here)
            if self.is_administrator is not None and not person.identity:
                is_administrator = is_administrator or self.is_administrator(transaction, key)
            if is_administrator:
                raise Conflict(f"{person.key!r} is an administrator: take that role away first")
            return put_ban(transaction, Ban(person.key, person.identity, person.name, until, at, by.key, reason))

        self._changes.tell(await self._database.transact(store))
        await self._rereading.now()

    async def lift(self, key: str, *, by: User) -> None:
        """Raises `NotFound` if there is no ban, `Unavailable`."""
        self._changes.tell(
            await self._database.transact(lambda transaction: lift_ban(transaction, key, by=by.key)),
        )
        await self._rereading.now()

    @property
    def _database(self) -> Database:
        if self.services.database is None:
            raise NotFound("this server stores nothing, so nobody is banned for longer than a connection")
        return self.services.database

    async def _read(self) -> None:
        if self.services.database is None:
            return
        self.bans.take(await self.services.database.read(bans_now, never_deferred=True))
        for connection in list(self.services.fanout.connections.values()):
            self.end_if_banned(connection)

    async def _forget_old(self, lease: Lease) -> None:
        await lease.transact(self._database, forget_old_bans)
