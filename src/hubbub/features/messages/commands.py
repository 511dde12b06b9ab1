"""The commands that say, change and read messages, and the one that joins a room and reads what was missed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from hubbub.accounts.policies import Action, permit
from hubbub.delivery.connection import Connection, Pause
from hubbub.dispatch.hooks import Draft, Hooks
from hubbub.dispatch.recovering import taken
from hubbub.dispatch.registry import ANSWERED, Answered, Later, Registration, Unasked
from hubbub.errors import RequestError
from hubbub.features.messages.log_changes import Changed
from hubbub.features.messages.messages import Said
from hubbub.features.rooms.feature import RoomsFeature
from hubbub.features.rooms.rooms import Room
from hubbub.wire.answers import Ack, ErrorEvent
from hubbub.wire.identity import User
from hubbub.wire.keys import fold
from hubbub.wire.messages import ChangedEvent, Delete, Edit, History, MessageEvent, Pin, React, SendMessage
from hubbub.wire.rooms import Join, RoomEvent

if TYPE_CHECKING:
    from hubbub.features.messages.feature import MessagesFeature


class MessageCommands:
    """The commands of `feature`, for the node that runs when they come."""

    def __init__(
        self, feature: MessagesFeature, rooms: RoomsFeature, hooks: Hooks, *, sent: Callable[[User, Room], None]
    ) -> None:
        self._feature = feature
        self._rooms = rooms
        self._hooks = hooks
        self._ended_typing = sent

    def registrations(self) -> Iterator[Registration]:
        place = self._rooms.room_of
        yield Registration(SendMessage, self.send_message, asks=Action.SEND, place=place)
        yield Registration(Edit, self.edit, asks=Action.EDIT, place=place)
        yield Registration(Delete, self.delete, asks=Action.DELETE, place=place)
        yield Registration(React, self.react, asks=Action.REACT, place=place)
        yield Registration(Pin, self.pin, asks=Action.PIN, place=place)
        yield Registration(History, self.history, asks=Action.READ, place=place, in_order=True)
        each = Unasked("it may name many rooms: `Rooms.join` asks about each")
        yield Registration(Join, self.join, asks=each, in_order=True)

    def send_message(self, connection: Connection, command: SendMessage, room: Room) -> Later | Awaitable[Ack]:
        if self._hooks.before_message:
            return self._send_revised(connection, room, command)
        return self._send(connection, room, command)

    async def _send_revised(self, connection: Connection, room: Room, command: SendMessage) -> Ack:
        connection.pause(Pause.ORDER)
        try:
            draft = await self._hooks.revise(Draft(connection, room.key, command.text, command.data))
            # The hooks may have taken a while, and the rules may have changed.
            permit(self._feature.services.policy, connection.user, Action.SEND, room.key)
            revised = command.model_copy(update={"text": draft.text, "data": draft.data})
            return await self._send_and_wait(connection, room, revised)
        finally:
            connection.resume(Pause.ORDER)

    async def _send_and_wait(self, connection: Connection, room: Room, command: SendMessage) -> Ack:
        said = await self._feature.messages.send(
            connection.user, room.key, command.text, key=command.key, reply_to=command.reply_to, data=command.data
        )
        return self._sent(connection, room, said)

    async def post(self, user: User, command: SendMessage) -> Said:
        """Say something without a connection. Raises what the command would be answered with."""
        if self._hooks.before_message:
            draft = await self._hooks.revise(Draft(None, command.room, command.text, command.data, user))
            command = command.model_copy(update={"text": draft.text, "data": draft.data})
        permit(self._feature.services.policy, user, Action.SEND, command.room)
        said = await self._feature.messages.send(
            user, command.room, command.text, key=command.key, reply_to=command.reply_to, data=command.data
        )
        if said.event is not None and self._hooks.on_message:
            self._hooks.call(self._hooks.on_message, said.event)
        return said

    def _send(self, connection: Connection, room: Room, command: SendMessage) -> Later:
        later = Later()
        self._feature.messages.submit(
            connection.user,
            room.key,
            command.text,
            key=command.key,
            reply_to=command.reply_to,
            data=command.data,
            answered=partial(self._answer, later, connection, room),
        )
        return later

    def _answer(self, later: Later, connection: Connection, room: Room, said: Said | Exception) -> None:
        try:
            answer = said if isinstance(said, Exception) else self._sent(connection, room, said)
        except Exception as error:  # noqa: BLE001 - the link says so to the client, and the log
            answer = error
        later.give(answer)

    def _sent(self, connection: Connection, room: Room, said: Said) -> Ack:
        self._ended_typing(connection.user, room)
        event = said.event
        if event is not None:
            if event.user != connection.user.key:
                self._check_key(connection, event)
            if self._hooks.on_message:
                self._hooks.call(self._hooks.on_message, event)
        return Ack(room=said.room, seq=said.seq, rev=said.rev, ts=said.ts)

    async def edit(self, connection: Connection, command: Edit, room: Room) -> Ack:
        changed = await self._feature.messages.edit(connection.user, room.key, command.seq, command.text)
        return self._changed(connection, changed)

    async def delete(self, connection: Connection, command: Delete, room: Room) -> Ack:
        return self._changed(connection, await self._feature.messages.delete(connection.user, room.key, command.seq))

    async def react(self, connection: Connection, command: React, room: Room) -> Ack:
        messages = self._feature.messages
        changed = await messages.react(connection.user, room.key, command.seq, command.emoji, on=command.on)
        return self._changed(connection, changed)

    async def pin(self, connection: Connection, command: Pin, room: Room) -> Ack:
        changed = await self._feature.messages.pin(connection.user, room.key, command.seq, on=command.on)
        return self._changed(connection, changed)

    async def history(self, connection: Connection, command: History, room: Room) -> Answered:
        fanout = self._feature.services.fanout
        with fanout.holding(connection, room.channel):
            page = await self._feature.catching_up.history(command, charge=connection.charge)
            page.id = command.id
            connection.reply(page)
        return ANSWERED

    async def join(self, connection: Connection, command: Join) -> Answered:
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
        return ANSWERED

    def _changed(self, connection: Connection, changed: Changed) -> Ack:
        self._check_key(connection, changed.event)
        return Ack(room=changed.room, rev=changed.rev)

    def _check_key(self, connection: Connection, event: MessageEvent | ChangedEvent | RoomEvent | None) -> None:
        """A guest whose key became somebody else's in the meantime, on another node or by an account, did this under a
        made key. It is told that one when it comes back."""
        user = connection.user.key
        if event is None or isinstance(event, RoomEvent) or event.user == user or fold(event.user) == fold(user):
            return
        # After the answer to what it did.
        asyncio.get_running_loop().call_soon(self._feature.people.guests.has_other_key, connection.user)
