"""The commands about rooms themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hubbub.delivery.connection import Connection
from hubbub.dispatch.registry import Registration, Unasked
from hubbub.features.rooms.rooms import Room
from hubbub.wire.answers import Ack
from hubbub.wire.rooms import Leave

if TYPE_CHECKING:
    from hubbub.features.rooms.feature import RoomsFeature


class RoomCommands:
    """The commands of `feature`. Its node exists when they are called, but not when they are registered."""

    def __init__(self, feature: RoomsFeature) -> None:
        self._feature = feature

    def registrations(self) -> Iterator[Registration]:
        yield Registration(Leave, self.leave, asks=Unasked("everybody may leave"), place=self._feature.room_of)

    def leave(self, connection: Connection, command: Leave, room: Room) -> Ack:
        self._feature.rooms.leave(connection, command.room)
        self._feature.services.features.left(connection, room.key)
        return Ack(room=room.key)
