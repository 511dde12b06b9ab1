"""Joining a room, and going on after a congestion: what is subscribed, held, read and let go, in one place.

Nothing may look joined that has a hole: where a room can't be read the join is undone, and a connection that cannot be
brought what it missed is closed.
"""

from __future__ import annotations

import asyncio
import logging

from hubbub.delivery.connection import Connection, State
from hubbub.delivery.fanout import Fanout
from hubbub.dispatch.link import run
from hubbub.errors import RequestError
from hubbub.features.messages.catching_up import CatchingUp
from hubbub.features.rooms.rooms import Room, Rooms
from hubbub.wire.codes import CloseCode
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
        already = self._rooms.has_joined(connection, position.room)
        room = await self._rooms.join(connection, position.room)
        try:
            await self._catching_up.join(connection, room, position, limit=limit, id=id)
        except BaseException:
            self._undo(connection, room, already=already)
            raise
        return room

    def _undo(self, connection: Connection, room: Room, *, already: bool) -> None:
        if not connection.is_open:
            # It leaves its rooms as it ends, and must not leave them twice.
            return
        if already:
            self._fanout.let_go(connection, room.channel)
        elif self._rooms.has_joined(connection, room.key):
            self._rooms.leave(connection, room.key)

    def bring_missed(self, connection: Connection, missed: dict[str, int | None]) -> None:
        """A congested connection takes part again: bring it what it missed, channel by channel."""
        if missed:
            run(self._bring_missed(connection, missed))

    async def _bring_missed(self, connection: Connection, missed: dict[str, int | None]) -> None:
        for channel, position in missed.items():
            await taken(connection)
            room = self._rooms.at(channel)
            if room is None or channel not in connection.channels:
                self._fanout.let_go(connection, channel)
                continue
            try:
                await self._catching_up.recover(connection, room, position)
            except RequestError as error:
                log.warning("%s could not catch up in %s: %s", connection.id, room.key, error.message)
                connection.close(CloseCode.TRY_AGAIN_LATER, "what was missed cannot be read now")
                return


async def taken(connection: Connection) -> None:
    """Wait while the client takes less than it is sent, or has made more work than it may. A room can be 1 MB: many of
    them at once would fill the memory for one who asks and does not read, and keep the others waiting."""
    while connection.state is State.CONGESTED or connection.is_in_debt:  # noqa: ASYNC110 - a second way to be told is not worth it here
        await asyncio.sleep(_LOOK_AGAIN)
