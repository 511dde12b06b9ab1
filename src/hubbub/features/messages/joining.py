"""Joining a room, and going on after a congestion: a connection is held, and told what it missed.

Nothing may look joined that has a hole. `delivery/hold.py` says what happens where the store can't be read.
"""

from __future__ import annotations

from hubbub.delivery.connection import Connection
from hubbub.delivery.hold import Hold
from hubbub.features.messages.catching_up import CatchingUp
from hubbub.features.rooms.rooms import Room, Rooms
from hubbub.wire.rooms import RoomPosition


class Joining:
    """How connections come into rooms, and back into them."""

    def __init__(self, rooms: Rooms, catching_up: CatchingUp) -> None:
        self._rooms = rooms
        self._catching_up = catching_up

    async def join(self, connection: Connection, position: RoomPosition, *, limit: int | None, id: str | None) -> Room:
        """Bring a connection into a room, and answer it with the room as it is and what it missed.

        Raises `Forbidden`, `TooLarge`, or `Unavailable` if the room can't be read: then it has not been joined.
        """
        async with self._rooms.joining(connection, position.room) as (room, hold):
            await self._catching_up.join(connection, room, position, hold=hold, limit=limit, id=id)
        return room

    async def recover(self, connection: Connection, channel: str, position: int | None, hold: Hold) -> None:
        """A congested connection takes part again: bring it what it missed in a room. Raises `Unavailable`."""
        room = self._rooms.at(channel)
        if room is not None:
            await self._catching_up.recover(connection, room, position, hold=hold)
