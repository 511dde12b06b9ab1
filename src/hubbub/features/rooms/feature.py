"""The feature of rooms: who is online, and leaving. Joining also reads messages, so it is in `features/messages`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from hubbub.delivery.connection import Connection
from hubbub.dispatch.registry import Registration
from hubbub.features.feature import Feature, Services
from hubbub.features.jobs import Job
from hubbub.features.rooms.commands import RoomCommands
from hubbub.features.rooms.lists import Lists
from hubbub.features.rooms.rooms import Room, Rooms
from hubbub.wire.codes import CloseCode

if TYPE_CHECKING:
    from fastapi import APIRouter

TICK = 1.0


class RoomsFeature(Feature):
    def __init__(self) -> None:
        self.rooms: Rooms
        self.lists: Lists

    def open(self, services: Services) -> None:
        super().open(services)
        self.rooms = Rooms(services)
        self.lists = Lists(services, self.rooms)

    def room_of(self, connection: Connection, command: Any) -> Room:
        """The room that a command names in `room`, for `Registration.place`.

        Raises `Forbidden` if the connection has not joined it.
        """
        return self.rooms.joined_by(connection, command.room)

    def commands(self) -> Iterable[Registration]:
        return RoomCommands(self).registrations()

    def routes(self, router: APIRouter, hub: Any) -> None:
        from hubbub.features.rooms.routes import add_routes

        add_routes(router, hub, self)

    async def start(self) -> None:
        await self.services.presence.start(self.rooms)

    async def stop(self) -> None:
        await self.services.presence.stop()

    def jobs(self) -> Iterable[Job]:
        yield Job(TICK, self.rooms.tick)

    def welcome(self, room: str | None) -> dict[str, Any]:
        online = self.rooms.online(room) if room is not None else None
        return {"online": online} if online is not None else {}

    def disconnected(self, connection: Connection, *, clean: bool) -> None:
        # A client that was told to reconnect has not left.
        has_left = clean and connection.close_code != CloseCode.SERVICE_RESTART
        for room in self.rooms.disconnected(connection, clean=has_left):
            self.services.features.left(connection, room)
