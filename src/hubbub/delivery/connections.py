"""The connections of this process, by their ids and by their users."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping

from hubbub.delivery.connection import Connection
from hubbub.wire.keys import fold


class Connections(Mapping[str, Connection]):
    """All connections by id. They are here from the end of the opening handshake until their link is gone."""

    def __init__(self) -> None:
        self._by_id: dict[str, Connection] = {}
        self._by_user: dict[str, dict[Connection, None]] = {}
        self._emptied = asyncio.Event()

    def __getitem__(self, id: str) -> Connection:
        return self._by_id[id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_id)

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, connection: Connection) -> None:
        self._by_id[connection.id] = connection
        self._by_user.setdefault(fold(connection.user.key), {})[connection] = None

    def remove(self, connection: Connection) -> None:
        self._by_id.pop(connection.id, None)
        key = fold(connection.user.key)
        theirs = self._by_user.get(key)
        if theirs is not None:
            theirs.pop(connection, None)
            if not theirs:
                del self._by_user[key]
        if not self._by_id:
            self._emptied.set()

    def of_user(self, key: str) -> list[Connection]:
        """A user's connections to this process, the oldest first."""
        return list(self._by_user.get(fold(key), ()))

    def count_of_user(self, key: str) -> int:
        """How many connections to this process a user has."""
        return len(self._by_user.get(fold(key), ()))

    async def wait_until_empty(self, timeout: float) -> None:
        """Returns when the last connection is gone, or after `timeout` seconds."""
        if self._by_id:
            self._emptied.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._emptied.wait(), timeout)
