"""The feature of rooms: who is online, and leaving. Joining also reads messages, so it is in `features/messages`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from hubbub.delivery.connection import Connection
from hubbub.dispatch.link import run
from hubbub.dispatch.registry import Registration
from hubbub.errors import Unavailable
from hubbub.features.feature import Feature, Services
from hubbub.features.jobs import Job
from hubbub.features.rooms.commands import RoomCommands
from hubbub.features.rooms.lists import Lists
from hubbub.features.rooms.rooms import Room, Rooms
from hubbub.wire.codes import CloseCode
from hubbub.wire.keys import fold
from hubbub.wire.members import RoomFields
from hubbub.wire.publication import Publication
from hubbub.wire.rooms import RoomEvent

if TYPE_CHECKING:
    from fastapi import APIRouter

TICK = 1.0
_SETTINGS = set(RoomFields.model_fields)


class RoomsFeature(Feature):
    def __init__(self) -> None:
        self.rooms: Rooms
        self.lists: Lists

    def open(self, services: Services) -> None:
        super().open(services)
        self.rooms = Rooms(services)
        services.policy = self.rooms.access.permits
        services.sequencer.before_delivery = self._hear
        self.lists = Lists(services, self.rooms)

    def room_of(self, connection: Connection, command: Any) -> Room:
        """The room that a command names in `room`, for `Registration.place`.

        Raises `Forbidden` if the connection has not joined it.
        """
        return self.rooms.joined_by(connection, command.room)

    def _hear(self, publication: Publication) -> None:
        """A durable publication is about to be delivered. Who is no longer allowed in the room must not get it, nor
        anything that follows."""
        if not publication.carries(RoomEvent):
            return
        # A node of a later version may say more than this one knows.
        fields = publication.fields()
        event = RoomEvent.model_validate({name: fields.get(name) for name in RoomEvent.model_fields})
        members = event.members or []
        if not members and not event.model_dump(include=_SETTINGS, exclude_none=True):
            return
        rooms = self.rooms
        rooms.access.heard(event.room, event.rev, event, members)
        room = rooms.at(publication.channel)
        for member in members:
            if member.out and room is not None:
                rooms.evict_user(room, member.user, member.out, event.rev, guest=bool(member.guest))
        run(self._read(event.room))

    async def _read(self, room: str) -> None:
        with contextlib.suppress(Unavailable):
            await self.rooms.access.read(room)

    def key_moved(self) -> None:
        self.rooms.access.forget_absent()

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
        # The user may not know how many are in a room whose settings say who may.
        access = self.rooms.access
        is_open = room is not None and not access.is_closed(fold(room)) and access.at(room) is None
        online = self.rooms.online(room) if room is not None and is_open else None
        return {"online": online} if online is not None else {}

    def disconnected(self, connection: Connection, *, clean: bool) -> None:
        # A client that was told to reconnect has not left.
        has_left = clean and connection.close_code != CloseCode.SERVICE_RESTART
        for room in self.rooms.disconnected(connection, clean=has_left):
            self.services.features.left(connection, room)
