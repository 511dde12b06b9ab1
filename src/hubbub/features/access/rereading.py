"""Rows that each node has in memory, and reads again when somebody has changed them on any node."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from hubbub.accounts.access_changes import POLL, AccessChanges, AccessKind
from hubbub.dispatch.link import run
from hubbub.errors import Unavailable
from hubbub.features.jobs import Job


class Rereading:
    """`read` reads all rows, and takes them. It is called whenever a change of this kind is told."""

    def __init__(self, changes: AccessChanges, kind: AccessKind, read: Callable[[], Awaitable[None]]) -> None:
        self._read = read
        self._order = asyncio.Lock()
        """Two readings at once could end in the other order."""
        self._is_stale = False
        """Whether rows have changed since the latest reading began."""
        changes.listen(kind, lambda change: self._hear())
        changes.on_missed(self._hear)

    @property
    def job(self) -> Job:
        """For `Feature.jobs`: reads when a reading has failed."""
        return Job(POLL, self._read_if_stale)

    async def now(self) -> None:
        """Returns when the rows in memory have every change that is committed. Raises `Unavailable`."""
        async with self._order:
            await self._read()

    def _hear(self) -> None:
        self._is_stale = True
        run(self._read_if_stale())

    async def _read_if_stale(self) -> None:
        if not self._is_stale:
            return
        self._is_stale = False
        try:
            await self.now()
        except Unavailable:
            self._is_stale = True
