"""The commands that send, change and read messages, and the one that joins a room and reads what the client missed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hubbub.accounts.policies import Action
from hubbub.delivery.connection import Connection, Pause
from hubbub.dispatch.answers import Later
from hubbub.dispatch.hooks import Hooks
from hubbub.dispatch.recovering import taken
from hubbub.dispatch.registry import Answers, Registration, Unasked
from hubbub.errors import RequestError
from hubbub.features.messages.log_changes import ChangeRequest, Outcome
from hubbub.features.rooms.feature import RoomsFeature
from hubbub.features.rooms.rooms import Room
from hubbub.wire.answers import Ack, ErrorEvent
from hubbub.wire.messages import Delete, Edit, History, Pin, React, SendMessage
from hubbub.wire.rooms import Join

if TYPE_CHECKING:
    from hubbub.features.messages.feature import MessagesFeature


class MessageCommands:
    """The handlers of the messages feature's commands. They use the node that runs when a command comes."""

    def __init__(self, feature: MessagesFeature, rooms: RoomsFeature, hooks: Hooks) -> None:
        self._feature = feature
        self._rooms = rooms
        self._hooks = hooks

    def registrations(self) -> Iterator[Registration]:
        place = self._rooms.room_of
        yield Registration(SendMessage, self.send, asks=Action.SEND, place=place)
        yield Registration(Edit, self.change, asks=Action.EDIT, place=place)
        yield Registration(Delete, self.change, asks=Action.DELETE, place=place)
        yield Registration(React, self.change, asks=Action.REACT, place=place)
        yield Registration(Pin, self.change, asks=Action.PIN, place=place)
        yield Registration(History, self.history, asks=Action.READ, place=place, in_order=True, replies_itself=True)
        each = Unasked("it may name many rooms: `Rooms.join` asks about each")
        yield Registration(Join, self.join, asks=each, in_order=True, replies_itself=True)

    def send(self, connection: Connection, command: SendMessage, room: Room) -> Answers:
        request = ChangeRequest(connection.user, room.key, command)
        if self._hooks.before_message:
            return self._revise_and_send(connection, request)
        return self._feature.messages.change(request).into(_sent)

    async def _revise_and_send(self, connection: Connection, request: ChangeRequest[SendMessage]) -> Ack:
        connection.pause(Pause.ORDER)
        try:
            return _sent(await self._feature.messages.revise_and_send(request, connection))
        finally:
            connection.resume(Pause.ORDER)

    def change(self, connection: Connection, command: Edit | Delete | React | Pin, room: Room) -> Later[Ack]:
        return self._feature.messages.change(ChangeRequest(connection.user, room.key, command)).into(_changed)

    async def history(self, connection: Connection, command: History, room: Room) -> None:
        fanout = self._feature.services.fanout
        with fanout.holding(connection, room.channel):
            page = await self._feature.catching_up.history(command, charge=connection.charge)
            await self._rooms.rooms.access.confirm(connection.user, room.key)
            page.id = command.id
            connection.reply(page)

    async def join(self, connection: Connection, command: Join) -> None:
        rooms, joining = self._rooms.rooms, self._feature.joining
        for position in command.positions:
            await taken(connection)
            if not connection.is_open:
                break
            already = rooms.has_joined(connection, position.room)
            try:
                room = await joining.join(connection, position, limit=command.limit, id=command.id)
            except RequestError as error:
                connection.reply(ErrorEvent.of(error, id=command.id, command=command.type, room=position.room))
            else:
                if not already and connection.is_open:
                    self._feature.services.features.joined(connection, room.key)


def _sent(outcome: Outcome) -> Ack:
    return Ack(room=outcome.room, seq=outcome.seq, rev=outcome.rev, ts=outcome.ts)


def _changed(outcome: Outcome) -> Ack:
    return Ack(room=outcome.room, rev=outcome.rev)
