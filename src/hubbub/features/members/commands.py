"""The commands that make rooms, and change them and their people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hubbub.accounts.policies import Action, permit
from hubbub.delivery.connection import Connection
from hubbub.dispatch.registry import Registration, Unasked
from hubbub.features.members.rooms_of_people import change_of
from hubbub.features.rooms.feature import RoomsFeature
from hubbub.features.rooms.rooms import Room
from hubbub.wire.answers import Ack
from hubbub.wire.members import (
    Ban,
    ChangeRoom,
    Create,
    Direct,
    Invite,
    Kick,
    LeaveRoom,
    Mute,
    Remove,
    SetRole,
)
from hubbub.wire.rooms import RoomPosition

if TYPE_CHECKING:
    from hubbub.features.members.feature import MembersFeature


@dataclass(frozen=True, slots=True)
class _Server:
    """What a command is about that is not about a room."""

    key: str = ""


class MemberCommands:
    """The handlers of the feature's commands. They use the node that runs when a command comes."""

    def __init__(self, feature: MembersFeature, rooms: RoomsFeature) -> None:
        self._feature = feature
        self._rooms = rooms

    def registrations(self) -> Iterator[Registration]:
        yield Registration(Create, self.create, Action.CREATE, place=_server, in_order=True, replies_itself=True)
        yield Registration(Direct, self.direct, Action.DIRECT, place=_server, in_order=True, replies_itself=True)
        place = self._rooms.room_of
        for model, action in (
            (Invite, Action.INVITE),
            (Remove, Action.REMOVE),
            (LeaveRoom, Action.LEAVE_ROOM),
            (SetRole, Action.SET_ROLE),
            (Kick, Action.KICK),
            (Mute, Action.MUTE),
            (Ban, Action.BAN),
        ):
            yield Registration(model, self.change, asks=action, place=place, in_order=True)
        reason = "`archived` is another action than the rest: the handler asks"
        yield Registration(ChangeRoom, self.describe, asks=Unasked(reason), place=place, in_order=True)

    async def create(self, connection: Connection, command: Create, server: _Server) -> None:
        room = await self._feature.rooms_of_people.create(connection.user, command)
        await self._join(connection, room, command.id)

    async def direct(self, connection: Connection, command: Direct, server: _Server) -> None:
        room = await self._feature.rooms_of_people.direct(connection.user, command.users)
        await self._join(connection, room, command.id)

    async def _join(self, connection: Connection, room: str, id: str | None) -> None:
        already = self._rooms.rooms.has_joined(connection, room)
        await self._feature.joining.join(connection, RoomPosition(room=room), limit=None, id=id)
        if not already and connection.is_open:
            self._feature.services.features.joined(connection, room)

    async def change(self, connection: Connection, command: Any, room: Room) -> Ack:
        changed = await self._feature.rooms_of_people.change(connection.user, room.key, change_of(command))
        return Ack(room=changed.room, rev=changed.rev)

    async def describe(self, connection: Connection, command: ChangeRoom, room: Room) -> Ack:
        change = change_of(command)
        permit(self._feature.services.policy, connection.user, change.action, room.key)
        changed = await self._feature.rooms_of_people.change(connection.user, room.key, change)
        return Ack(room=changed.room, rev=changed.rev)


def _server(connection: Connection, command: Any) -> _Server:
    return _Server()
