"""Deadlines of connections that take less than they are sent, and of those that are closing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hubbub.delivery.connection import Connection

log = logging.getLogger("hubbub.delivery")

FROZEN = 2.0
"""If more seconds than these are between two checks, this process did not run, and no client is blamed for that."""


@dataclass(slots=True)
class _Stall:
    since: float
    progress: float
    backlog: int


class Deadlines:
    """In seconds: a congested connection has `stall` to make any progress and `patience` in all; a closing one has
    `close_timeout` for its side of the closing handshake.

    Call `start` once the clock runs, and `check` and `notice_freeze` about once a second.
    """

    def __init__(
        self,
        connections: Mapping[str, Connection],
        *,
        clock: Callable[[], float],
        stall: float,
        patience: float,
        close_timeout: float,
    ) -> None:
        self._connections = connections
        self._clock = clock
        self._stall = stall
        self._patience = patience
        self._close_timeout = close_timeout
        self._checked_at = 0.0
        self._stalled: dict[Connection, _Stall] = {}
        self._closing: dict[Connection, float] = {}

    def start(self) -> None:
        self._checked_at = self._clock()

    @property
    def is_empty(self) -> bool:
        return not self._stalled and not self._closing

    def congested(self, connection: Connection) -> None:
        """The connection gets nothing more until it has read what it was sent. From now on it must make progress."""
        now = self._clock()
        backlog = connection.transport.backlog
        self._stalled[connection] = _Stall(now, now, backlog)
        log.debug("%s of %s is congested: %d bytes not read", connection.id, connection.user.key, backlog)

    def relieved(self, connection: Connection) -> None:
        self._stalled.pop(connection, None)

    def is_congested(self, connection: Connection) -> bool:
        return connection in self._stalled

    def closing(self, connection: Connection) -> None:
        """It has begun the closing handshake."""
        self._stalled.pop(connection, None)
        self._closing[connection] = self._clock() + self._close_timeout

    def forget(self, connection: Connection) -> None:
        self._stalled.pop(connection, None)
        self._closing.pop(connection, None)

    def notice_freeze(self) -> None:
        """If this process did not run for a while, let deadlines end later by that time, and credit the clients for
        what they sent meanwhile. Call it about once a second, and before a client is blamed."""
        now = self._clock()
        frozen, self._checked_at = now - self._checked_at, now
        if frozen < FROZEN:
            return
        for connection in self._connections.values():
            connection.was_not_read(frozen)
        for stall in self._stalled.values():
            stall.since += frozen
            stall.progress += frozen
        for connection in self._closing:
            self._closing[connection] += frozen

    def check(self) -> None:
        """Drop the connections whose deadline has passed. Call it about once a second."""
        now = self._clock()
        for connection, stall in list(self._stalled.items()):
            backlog = connection.transport.backlog
            if backlog < stall.backlog:
                stall.progress = now
            stall.backlog = backlog
            if now - stall.progress > self._stall or now - stall.since > self._patience:
                log.info("dropped %s of %s: %d bytes not read", connection.id, connection.user.key, backlog)
                connection.abort()
        for connection, deadline in list(self._closing.items()):
            if now > deadline:
                log.debug("dropped %s of %s: no answer to the close frame", connection.id, connection.user.key)
                connection.abort()
