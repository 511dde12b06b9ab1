"""The feature of people: guests and their names, and accounts that own their keys. The rules are in `accounts/`."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from hubbub.accounts.guests import Guests
from hubbub.accounts.key_owners import ClaimKey, KeyOwners
from hubbub.accounts.signing_key import Secret, SigningKeys, fingerprints, load_signing_keys
from hubbub.delivery.connection import Connection
from hubbub.features.feature import ChannelKind, Feature, Services
from hubbub.features.jobs import Job
from hubbub.features.people.user_channels import PREFIX, UserChannels
from hubbub.settings import Settings
from hubbub.wire.codes import CloseCode
from hubbub.wire.identity import User

if TYPE_CHECKING:
    from fastapi import APIRouter

TICK = 1.0


class PeopleFeature(Feature):
    def __init__(self) -> None:
        self.guests: Guests
        self.user_channels: UserChannels
        self.signing: SigningKeys
        self.store_claim: ClaimKey | None = None
        """Stores that an account owns its key. The feature that stores users sets it; needed with a database."""
        self._owners: KeyOwners | None = None
        self._seeing: asyncio.Task[None] | None = None

    def open(self, services: Services) -> None:
        super().open(services)
        database = services.database
        self._owners = KeyOwners(database, claim=self._claim) if database is not None else None
        self.signing = SigningKeys()
        self.guests = Guests(
            self.signing,
            clock=time.monotonic,
            linger=services.settings.linger,
            owners=self._owners,
            is_accounts=self._is_accounts,
            displaced=self._displaced,
            names=services.names,
        )
        self.user_channels = UserChannels(services.broker, services.fanout.connections, make_way=self.guests.make_way)

    async def start(self) -> None:
        services, secret = self.services, _secret(self.services.settings)
        shared = services.database if services.is_shared else None
        keys = await load_signing_keys(secret, data_dir=services.settings.data_dir, shared=shared)
        self.signing.use(keys)
        if services.names is not None:
            # Nodes that share a database have compared their secrets there.
            await services.names.start([] if shared is not None else fingerprints(secret, keys))
        if self._owners is not None and not self.services.is_shared:
            self._seeing = asyncio.create_task(self._owners.see_all())

    async def stop(self) -> None:
        if self._seeing is not None:
            self._seeing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._seeing
            self._seeing = None
        if self.services.names is not None:
            await self.services.names.stop()

    def routes(self, router: APIRouter, hub: Any) -> None:
        from hubbub.features.people.routes import add_routes

        add_routes(router, hub, self)

    def jobs(self) -> Iterable[Job]:
        yield Job(TICK, self.guests.tick)

    def channels(self) -> Iterable[ChannelKind]:
        users = self.user_channels
        yield ChannelKind(PREFIX, receive=users.receive, count=users.count)

    def connected(self, connection: Connection) -> None:
        self.user_channels.connected(connection)

    def disconnected(self, connection: Connection, *, clean: bool) -> None:
        self.user_channels.disconnected(connection)

    async def claim_key(self, account: User) -> None:
        """An account connects, so the key is its own. A guest who is online under this key gets another one.

        Raises as `KeyOwners.claim` does.
        """
        if self._owners is not None and await self._owners.claim(account):
            self.services.features.key_moved()
        self.guests.make_way(account.key)
        self.user_channels.make_way(account.key)

    def _claim(self, account: User, answered: Callable[[Exception | None], None]) -> None:
        assert self.store_claim is not None
        self.store_claim(account, answered)

    def _is_accounts(self, key: str) -> bool:
        return any(not connection.user.guest for connection in self.services.fanout.connections.of_user(key))

    def _displaced(self, guest: User) -> None:
        for connection in self.services.fanout.connections.of_user(guest.key):
            if connection.user.identity == guest.identity:
                connection.close(CloseCode.SERVICE_RESTART, "this key is somebody else's")


def _secret(settings: Settings) -> Secret:
    given = (settings.secret, settings.previous_secret)
    return Secret(*(secret.get_secret_value().encode() if secret is not None else None for secret in given))
