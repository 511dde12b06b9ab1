"""Continuing after a congestion: each kind of channel says how a connection is sent what it missed there.

The connection is held in those channels until then. `delivery/hold.py` says what happens if the store cannot be read.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from hubbub.delivery.connection import Connection, State
from hubbub.delivery.fanout import Fanout
from hubbub.delivery.hold import Hold
from hubbub.dispatch.link import run
from hubbub.errors import RequestError

log = logging.getLogger("hubbub")

Recover = Callable[[Connection, str, int | None, Hold], Awaitable[None]]
"""Sends a connection what it missed in a channel after a position. Raises `Unavailable` if that cannot be read."""

_RETRY_EVERY = 0.05


class Recovering:
    """`kinds` has, for each prefix of channel names, the function that recovers there; None if what was missed is
    gone."""

    def __init__(self, fanout: Fanout, kinds: Mapping[str, Recover | None]) -> None:
        self._fanout = fanout
        self._kinds = kinds

    def bring_missed(self, connection: Connection, missed: dict[str, int | None]) -> None:
        """Send a connection that was congested what it missed, channel by channel."""
        if missed:
            holds = {channel: self._fanout.recovering(connection, channel) for channel in missed}
            run(self._bring_missed(connection, missed, holds))

    async def _bring_missed(
        self, connection: Connection, missed: dict[str, int | None], holds: dict[str, Hold]
    ) -> None:
        for channel, position in missed.items():
            prefix = prefix_of(channel)
            recover = self._kinds.get(prefix)
            if prefix not in self._kinds:
                log.error(
                    "%s missed something in channel %r, and no feature knows such channels", connection.id, channel
                )
            try:
                with holds[channel] as hold:
                    await taken(connection)
                    if recover is not None and channel in connection.channels:
                        await recover(connection, channel, position, hold)
            except RequestError as error:
                log.warning("%s could not catch up in %s: %s", connection.id, channel, error.message)
                return


def prefix_of(channel: str) -> str:
    """The part of a channel's name that says its kind, such as `room:`."""
    return channel[: channel.find(":") + 1]


async def taken(connection: Connection) -> None:
    """Wait while the client is congested, or has made more work than it may. A room can be 1 MB: a client that asks for
    many and does not read would fill the memory, and keep the others waiting."""
    while connection.state is State.CONGESTED or connection.is_in_debt:  # noqa: ASYNC110 - a second way to be told is not worth it here
        await asyncio.sleep(_RETRY_EVERY)
