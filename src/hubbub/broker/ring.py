"""Consistent hashing: which of several servers carries a channel. All nodes with the same number of servers agree on
it."""

from __future__ import annotations

import asyncio
from bisect import bisect
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Generic, Protocol, TypeVar

POINTS = 160
"""Points of each server on the ring. With so many, each server's share of the channels differs from a fair one by about
a tenth at most."""


class Ring:
    """`number` servers, known by their place in the list. An additional server takes over a share of the channels from
    each of the others; the other channels stay where they are."""

    def __init__(self, number: int) -> None:
        points = sorted((_hash(f"{server}/{point}"), server) for server in range(number) for point in range(POINTS))
        self._hashes = [hash for hash, _ in points]
        self._servers = [server for _, server in points]
        self.place: Callable[[str], int] = lru_cache(maxsize=10_000)(self._place)
        """The server that carries a channel."""

    def _place(self, channel: str) -> int:
        return self._servers[bisect(self._hashes, _hash(channel)) % len(self._servers)]


class Part(Protocol):
    async def stop(self) -> None: ...


P = TypeVar("P", bound=Part)


class SharedOut(Generic[P]):
    """Channels that are shared out among `parts`, of which each works on one server. They start and stop together."""

    def __init__(self, parts: Sequence[P]) -> None:
        self._parts = parts
        self._ring = Ring(len(parts))

    def __iter__(self) -> Iterator[P]:
        return iter(self._parts)

    def of(self, channel: str) -> P:
        """The part to which a channel belongs."""
        parts = self._parts
        return parts[0] if len(parts) == 1 else parts[self._ring.place(channel)]

    async def start(self, start: Callable[[P], Awaitable[None]]) -> None:
        """Start all parts. If one fails, all are stopped, and its error is raised."""
        for failure in await asyncio.gather(*map(start, self._parts), return_exceptions=True):
            if failure is not None:
                await self.stop()
                raise failure

    async def stop(self) -> None:
        await asyncio.gather(*(part.stop() for part in self._parts))


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest())
