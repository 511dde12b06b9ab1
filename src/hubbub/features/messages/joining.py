"""Joining a room, and going on after a congestion: a connection is held, and told what it missed.

Nothing may look joined that has a hole. `delivery/hold.py` says what happens where the store can't be read.
"""

from __future__ import annotations

import asyncio
import logging

from hubbub.delivery.connection import Connection, State
from hubbub.delivery.fanout import Fanout
from hubbub.delivery.hold import Hold
from hubbub.dispatch.link import run
from hubbub.errors import RequestError
from hubbub.features.messages.catching_up import CatchingUp
from hubbub.features.rooms.rooms import Room, Rooms
from hubbub.wire.commands import RoomPosition

log = logging.getLogger("hubbub")

_LOOK_AGAIN = 0.05


class Joining:
    """How connections come into rooms, and back into them."""

    def __init__(self, *, fanout: Fanout, rooms: Rooms, catching_up: CatchingUp) -> None:
        self._fanout = fanout
        self._rooms = rooms
        self._catching_up = catching_up

    async def join(self, connection: Connection, position: RoomPosition, *, limit: int | None, id: str | None) -> Room:
        """Bring a connection into a room, and answer it with the room as it is and what it missed.

        Raises `Forbidden`, `TooLarge`, or `Unavailable` if the room can't be read: then it has not been joined.
        """
        async with self._rooms.joining(connection, position.room) as (room, hold):
            await self._catching_up.join(connection, room, position, hold=hold, limit=limit, id=id)
        return room

    def bring_missed(self, connection: Connection, missed: dict[str, int | None]) -> None:
        """A congested connection takes part again: bring it what it missed, channel by channel."""
        if missed:
            holds = {channel: self._fanout.recovering(connection, channel) for channel in missed}
            run(self._bring_missed(connection, missed, holds))

    async def _bring_missed(
        self, connection: Connection, missed: dict[str, int | None], holds: dict[str, Hold]
    ) -> None:
        for channel, position in missed.items():
            try:
                with holds[channel] as hold:
                    await taken(connection)
                    room = self._rooms.at(channel)
                    if room is not None and channel in connection.channels:
                        await self._catching_up.recover(connection, room, position, hold=hold)
            except RequestError as error:
                log.warning("%s could not catch up in %s: %s", connection.id, channel, error.message)
                return


async def taken(connection: Connection) -> None:
    """Wait while the client takes less than it is sent, or has made more work than it may. A room can be 1 MB: many of
    them at once would fill the memory for one who asks and does not read, and keep the others waiting."""
    while connection.state is State.CONGESTED or connection.is_in_debt:  # noqa: ASYNC110 - a second way to be told is not worth it here
        await asyncio.sleep(_LOOK_AGAIN)
