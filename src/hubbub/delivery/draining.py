"""Closing all connections in stages, before the server stops."""

from __future__ import annotations

import asyncio
import logging
import random

from hubbub.delivery.connections import Connections
from hubbub.wire.codes import CloseCode
from hubbub.wire.connection import Draining

log = logging.getLogger("hubbub")

CLOSES_PER_SECOND = 500
"""A thousand clients that reconnect at once would cost the next server more than this wait costs."""
CLOSED_AT_A_TIME = 50


async def drain(connections: Connections, timeout: float) -> None:
    """Tell all clients to reconnect, each at another moment, close a few at a time, and drop the rest after `timeout`
    seconds. Returns when no connection is left."""
    deadline = asyncio.get_running_loop().time() + timeout
    draining = list(connections.values())
    if draining:
        log.info("draining %d connections", len(draining))
    spread = len(draining) / CLOSES_PER_SECOND
    for connection in draining:
        connection.send(Draining(reconnect_in=round(1000 * (0.5 + random.random() * (1 + 2 * spread)))))  # noqa: S311
    pace = min(1 / CLOSES_PER_SECOND, timeout / 2 / max(1, len(draining)))
    for start in range(0, len(draining), CLOSED_AT_A_TIME):
        some = draining[start : start + CLOSED_AT_A_TIME]
        await asyncio.sleep(pace * len(some))
        for connection in some:
            connection.close(CloseCode.SERVICE_RESTART, "the server restarts")
    await connections.wait_until_empty(deadline - asyncio.get_running_loop().time())
    for connection in list(connections.values()):
        connection.abort()
    await connections.wait_until_empty(1.0)
