"""The heartbeat: pings all connections in turn, and closes those that stay silent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hubbub.delivery.connection import Connection, State
from hubbub.delivery.formats import Format
from hubbub.wire.codes import CloseCode
from hubbub.wire.publication import Publication

BEATS = 25
"""The connections are pinged in so many groups, so that the pings are spread evenly over a heartbeat."""

SILENT_BEATS = 2


class Heartbeat:
    """Call `beat` `BEATS` times per heartbeat. `ping` makes the event for clients that cannot see RFC 6455 pings."""

    def __init__(self, ping: Callable[[], Publication]) -> None:
        self._ping = ping
        self._groups: list[dict[Connection, None]] = [{} for _ in range(BEATS)]
        self._next = 0

    @property
    def is_empty(self) -> bool:
        return not any(self._groups)

    def add(self, connection: Connection) -> None:
        connection.beat = (self._next - 1) % BEATS
        self._groups[connection.beat][connection] = None

    def remove(self, connection: Connection) -> None:
        self._groups[connection.beat].pop(connection, None)

    def beat(self) -> None:
        """Ping the next group of connections, and close those that were silent for two heartbeats."""
        group = self._groups[self._next]
        self._next = (self._next + 1) % BEATS
        if not group:
            return
        ping = self._ping()
        chunks: dict[Format, Any] = {}
        for connection in list(group):
            if connection.state is not State.OPEN:
                continue
            if (
                connection.silent_beats >= SILENT_BEATS
                and connection.transport.hears_pongs
                and not connection.is_paused
            ):
                connection.close(CloseCode.NOT_ALIVE, "no frame for two heartbeats")
                continue
            # While the server itself does not read from the connection, silence proves nothing.
            connection.silent_beats = 0 if connection.is_paused else connection.silent_beats + 1
            form = connection.format
            if form not in chunks:
                chunks[form] = form.heartbeat(ping)
            connection.transport.write(chunks[form])
