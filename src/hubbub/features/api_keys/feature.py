"""The feature of API keys. The rules and the storing are in `accounts/api_keys.py`; `http/admission.py` asks for a
key; the routes that programs use are with the features that they are about."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from hubbub.accounts.api_keys import BOTS, FRESH, ApiKey, ApiKeys, ApiKeyStore, KeyFiles, KeyTable
from hubbub.delivery.connection import Connection
from hubbub.errors import Conflict, NotFound, Unavailable
from hubbub.features.feature import Feature, Services
from hubbub.features.jobs import Job
from hubbub.wire.codes import CloseCode

if TYPE_CHECKING:
    from fastapi import APIRouter


class ApiKeysFeature(Feature):
    def __init__(self) -> None:
        self.keys: ApiKeys
        self._bots: dict[Connection, None] = {}
        """Connections of programs that are here by a key."""

    def open(self, services: Services) -> None:
        super().open(services)
        self.keys = ApiKeys(_store_of(services), clock=time.monotonic)
        self._bots = {}

    def routes(self, router: APIRouter, hub: Any) -> None:
        from hubbub.features.api_keys.routes import add_routes

        add_routes(router, hub, self)

    def jobs(self) -> Iterable[Job]:
        yield Job(FRESH, self._end_revoked)

    def connected(self, connection: Connection) -> None:
        if connection.user.key.startswith(BOTS) and connection.scopes is not None:
            self._bots[connection] = None

    def disconnected(self, connection: Connection, *, clean: bool) -> None:
        self._bots.pop(connection, None)

    @property
    def _store(self) -> ApiKeyStore:
        if self.keys.store is None:
            raise NotFound("this server has no place for API keys: set HUBBUB_DATA_DIR")
        return self.keys.store

    async def all(self) -> list[ApiKey]:
        """By name. Raises `NotFound` if there is no place for keys, `Unavailable`."""
        return await self._store.load()

    async def add(self, key: ApiKey, *, by: str) -> None:
        """Returns when it is durable. Raises `Conflict` if there is one with its name, and as `all` does."""
        if not await self._store.add(key, by=by):
            raise Conflict(f"there is a key {key.name!r} already: choose another name, or revoke that one first")
        self.keys.read_again()

    async def remove(self, name: str, *, by: str) -> None:
        """Returns when nobody can use it any more; on other nodes, `FRESH` seconds later. Raises `NotFound` if there is
        no such key, and as `all` does."""
        if not await self._store.remove(name, by=by):
            raise NotFound("there is no such key")
        self.keys.read_again()
        await self._end_revoked()

    async def _end_revoked(self) -> None:
        if not self._bots:
            return
        try:
            good = await self.keys.still_good([bot.session for bot in self._bots if bot.session is not None])
        except Unavailable:
            return  # nothing is known of any key
        for bot in list(self._bots):
            if bot.session not in good:
                bot.close(CloseCode.UNAUTHENTICATED, "the API key was revoked")


def _store_of(services: Services) -> ApiKeyStore | None:
    if services.database is not None and services.is_shared:
        return KeyTable(services.database)
    data_dir = services.settings.data_dir
    return KeyFiles(data_dir, services.database) if data_dir is not None else None
