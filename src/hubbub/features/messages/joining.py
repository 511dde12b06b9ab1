"""Joining a room, and continuing after a congestion: the connection is held, and is sent what it missed.

A connection that has missed something must not look joined. `delivery/hold.py` says what happens if the store cannot be
read.
"""

from __future__ import annotations

from hubbub.delivery.connection import Connection
from hubbub.delivery.hold import Hold
from hubbub.features.messages.catching_up import CatchingUp
from hubbub.features.rooms.rooms import Room, Rooms
from hubbub.wire.rooms import RoomPosition


class Joining:
    """Lets connections join rooms, and continue in them."""

    def __init__(self, rooms: Rooms, catching_up: CatchingUp) -> None:
        self._rooms = rooms
        self._catching_up = catching_up

    async def join(self, connection: Connection, position: RoomPosition, *, limit: int | None, id: str | None) -> Room:
        """Let a connection join a room, and answer it with the room as it is now and what the client missed.

        Raises `Forbidden`, `TooLarge`, or `Unavailable` if the room can't be read: then it has not been joined.
        """
        async with self._rooms.joining(connection, position.room) as (room, hold):
            await self._catching_up.join(connection, room, position, hold=hold, limit=limit, id=id)
        return room

    async def recover(self, connection: Connection, channel: str, position: int | None, hold: Hold) -> None:
        """Send a connection that was congested what it missed in a room. Raises `Unavailable`."""
        room = self._rooms.at(channel)
        if room is not None:
            await self._catching_up.recover(connection, room, position, hold=hold)
