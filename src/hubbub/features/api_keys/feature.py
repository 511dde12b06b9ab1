"""The feature of API keys. The rules and the storing are in `accounts/api_keys.py`; `http/admission.py` asks for a
key; the routes are with the features that they use."""

from __future__ import annotations

import time
from collections.abc import Iterable

from hubbub.accounts.api_keys import BOTS, FRESH, ApiKeys, ApiKeyStore, KeyFiles, KeyTable
from hubbub.delivery.connection import Connection
from hubbub.errors import Unavailable
from hubbub.features.feature import Feature, Services
from hubbub.features.jobs import Job
from hubbub.wire.codes import CloseCode


class ApiKeysFeature(Feature):
    def __init__(self) -> None:
        self.keys: ApiKeys
        self._bots: dict[Connection, None] = {}
        """Connections of programs that are here by a key."""

    def open(self, services: Services) -> None:
        super().open(services)
        self.keys = ApiKeys(_store_of(services), clock=time.monotonic)
        self._bots = {}

    def jobs(self) -> Iterable[Job]:
        yield Job(FRESH, self._end_revoked)

    def connected(self, connection: Connection) -> None:
        if connection.user.key.startswith(BOTS) and connection.scopes is not None:
            self._bots[connection] = None

    def disconnected(self, connection: Connection, *, clean: bool) -> None:
        self._bots.pop(connection, None)

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
    return KeyFiles(services.settings.data_dir) if services.settings.data_dir is not None else None
