"""Consistent hashing: which of several servers carries a channel. All nodes with the same number of servers agree on
it."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b

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


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest())
