"""All sockets that a server has accepted: how many each address has, and which are closed when the process runs out of
files.

About once a second, one timer asks all sockets that are no WebSockets yet whether their time is over. This module knows
addresses, files and time. It knows no HTTP.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from uvicorn.server import ServerState

from hubbub.delivery.turns import Turns
from hubbub.http.forwarding import TrustedProxies
from hubbub.limits import AddressLimit
from hubbub.settings import Settings

CHECK_EVERY = 1.0
TURNED_AWAY = 16
"""If an address is over its limit, so many of its sockets may stay until they have been told why. More are dropped
without an answer."""

ASKED_TO_GIVE_WAY = 64
"""How many of the oldest sockets are asked when a file is needed."""

RESERVE = 4096 + 256
"""Files that are kept free of clients, for the database and the log: so many, or a quarter if there are few in all."""


class Watched(Protocol):
    """A socket whose client may be too slow."""

    def check_time(self, elapsed: float) -> None:
        """End the connection if its client's time is over. `elapsed` are the seconds since the last check."""

    def give_way(self) -> bool:
        """End the connection if nothing happens on it. Returns whether it was ended."""


class Verdict(Enum):
    WELCOME = "welcome"
    TOO_MANY = "too many of this address"
    """It may stay until it is told so."""
    NO_FILES = "no files left"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """The settings that limit sockets. Durations are in seconds."""

    per_address: int
    head_timeout: float
    stall_timeout: float
    stall_patience: float
    proxies: TrustedProxies

    @classmethod
    def of(cls, settings: Settings) -> SocketLimits:
        return cls(
            per_address=settings.connections_per_address,
            head_timeout=settings.head_timeout,
            stall_timeout=settings.stall_timeout,
            stall_patience=settings.stall_patience,
            proxies=TrustedProxies(settings.trusted_proxies),
        )


class Place:
    """The place of one socket in the count, from its accept until it is lost, whichever protocol serves it."""

    __slots__ = ("_address", "_connections", "_limit")

    def __init__(self, connections: AbstractSet[Any]) -> None:
        self._connections = connections
        self._limit: AddressLimit | None = None
        self._address = ""

    def take(self, limit: AddressLimit, address: str) -> bool:
        """Count the socket as one of `address` from now on, and no longer of another one. If that address is at its
        limit, nothing changes, and the result is False."""
        if self._limit is limit and self._address == address:
            return True
        if not limit.enter(address):
            return False
        self._leave()
        self._limit, self._address = limit, address
        return True

    def free(self, protocol: Any) -> None:
        """The socket is gone; `protocol` served it last."""
        self._connections.discard(protocol)  # type: ignore[attr-defined]
        self._leave()

    def _leave(self) -> None:
        if self._limit is not None:
            self._limit.leave(self._address)
            self._limit = None


class Sockets:
    """The accepted sockets of one server."""

    def __init__(self, limits: SocketLimits) -> None:
        self.limits = limits
        self.turns = Turns(asyncio.get_running_loop().call_soon)
        """Those of requests that are about to begin."""
        self._by_address = AddressLimit(limits.per_address)
        self._turned_away = AddressLimit(TURNED_AWAY)
        self._watched: dict[Watched, None] = {}
        """In the order in which they came."""
        self._every = min(CHECK_EVERY, limits.head_timeout / 4, limits.stall_timeout / 4)
        self._checked_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @classmethod
    def of(cls, server: ServerState, limits: SocketLimits) -> Sockets:
        """The sockets of one server. uvicorn makes a protocol for each connection, and tells it nothing but the
        server's state."""
        sockets = _SOCKETS.get(server)
        if sockets is None:
            sockets = _SOCKETS[server] = cls(limits)
        return sockets

    @cached_property
    def _most_files(self) -> int:
        return most_files()

    def enter(self, place: Place, address: str, file: int) -> Verdict:
        """Decide about a new socket of `address`. Its file has this number, the lowest that was free."""
        if file >= self._most_files and not self._make_room():
            return Verdict.NO_FILES
        return self.count(place, address)

    def count(self, place: Place, address: str) -> Verdict:
        """Count a socket as one of `address`. With "" it is of no address yet: a trusted proxy has not said whose it
        is."""
        if not address or place.take(self._by_address, address):
            return Verdict.WELCOME
        return Verdict.TOO_MANY if place.take(self._turned_away, address) else Verdict.DROP

    def _make_room(self) -> bool:
        """Close one socket on which nothing happens, the oldest of those that are asked."""
        for socket in list(itertools.islice(self._watched, ASKED_TO_GIVE_WAY)):
            if socket.give_way():
                self._watched.pop(socket, None)
                return True
            self._watched[socket] = self._watched.pop(socket)
        return False

    def watch(self, socket: Watched) -> None:
        self._watched[socket] = None
        if self._timer is None:
            self._checked_at = time.monotonic()
            self._timer = asyncio.get_running_loop().call_later(self._every, self._check_all)

    def unwatch(self, socket: Watched) -> None:
        self._watched.pop(socket, None)

    def _check_all(self) -> None:
        now = time.monotonic()
        # If the server stood still, it did not read, and clients must not be blamed for that.
        elapsed = min(now - self._checked_at, 2 * self._every)
        self._checked_at = now
        for socket in list(self._watched):
            socket.check_time(elapsed)
        self._timer = asyncio.get_running_loop().call_later(self._every, self._check_all) if self._watched else None


_SOCKETS: WeakKeyDictionary[ServerState, Sockets] = WeakKeyDictionary()


def most_files() -> int:
    """How many files of this process may be open before new clients are turned away."""
    try:
        import resource
    except ImportError:  # pragma: no cover - Windows has no such limit
        return sys.maxsize
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return sys.maxsize
    return files - min(RESERVE, files // 4)
