"""The built-in commands: each hands over to the feature that owns its rules, and says what the answer is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from functools import partial

from hubbub.delivery.connection import Connection, Pause
from hubbub.dispatch.hooks import Draft, Hooks
from hubbub.dispatch.registry import ANSWERED, Answered, Later, Registry
from hubbub.errors import RequestError
from hubbub.features.messages.joining import taken
from hubbub.features.messages.log_changes import Changed
from hubbub.features.messages.messages import Said
from hubbub.features.rooms.rooms import Room
from hubbub.node import Node, NodeSource
from hubbub.wire.commands import (
    Delete,
    Edit,
    Follow,
    History,
    Join,
    Leave,
    Pin,
    Ping,
    Pong,
    React,
    SendMessage,
    Typing,
    Unfollow,
)
from hubbub.wire.events import Ack, ChangedEvent, ErrorEvent, Following, MessageEvent, PongEvent, RoomEvent, timestamp
from hubbub.wire.identity import User
from hubbub.wire.keys import fold


class BuiltInCommands:
    """The protocol's commands, for the node that runs when they come."""

    def __init__(self, node: NodeSource, hooks: Hooks) -> None:
        self._node = node
        self._hooks = hooks

    def register(self, registry: Registry) -> None:
        registry.add(SendMessage, self.send_message)
        registry.add(Edit, self.edit)
        registry.add(Delete, self.delete)
        registry.add(React, self.react)
        registry.add(Pin, self.pin)
        registry.add(Join, self.join, in_order=True)
        registry.add(Leave, self.leave)
        registry.add(History, self.history, in_order=True)
        registry.add(Typing, self.typing)
        registry.add(Follow, self.follow, in_order=True)
        registry.add(Unfollow, self.unfollow)
        registry.add(Ping, self.ping)
        registry.add(Pong, self.pong)

    # Messages.

    def send_message(self, connection: Connection, command: SendMessage) -> Later | Awaitable[Ack]:
        room = self._node().rooms.joined_by(connection, command.room)
        if self._hooks.before_message:
            return self._send_revised(connection, room, command)
        return self._send(connection, room, command)

    async def _send_revised(self, connection: Connection, room: Room, command: SendMessage) -> Ack:
        connection.pause(Pause.ORDER)
        try:
            draft = await self._hooks.revise(Draft(connection, room.key, command.text, command.data))
            revised = command.model_copy(update={"text": draft.text, "data": draft.data})
            return await self._send_and_wait(connection, room, revised)
        finally:
            connection.resume(Pause.ORDER)

    async def _send_and_wait(self, connection: Connection, room: Room, command: SendMessage) -> Ack:
        said = await self._node().messages.send(
            connection.user, room.key, command.text, key=command.key, reply_to=command.reply_to, data=command.data
        )
        return self._sent(connection, room, said)

    async def post(self, user: User, command: SendMessage) -> Said:
        """Say something without a connection. Raises what the command would be answered with."""
        if self._hooks.before_message:
            draft = await self._hooks.revise(Draft(None, command.room, command.text, command.data, user))
            command = command.model_copy(update={"text": draft.text, "data": draft.data})
        said = await self._node().messages.send(
            user, command.room, command.text, key=command.key, reply_to=command.reply_to, data=command.data
        )
        if said.event is not None and self._hooks.on_message:
            self._hooks.call(self._hooks.on_message, said.event)
        return said

    def _send(self, connection: Connection, room: Room, command: SendMessage) -> Later:
        later = Later()
        self._node().messages.submit(
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
        self._node().typing.sent(connection.user, room)
        _check_key(self._node(), connection, said.event)
        if said.event is not None and self._hooks.on_message:
            self._hooks.call(self._hooks.on_message, said.event)
        return Ack(room=said.room, seq=said.seq, rev=said.rev, ts=said.ts)

    async def edit(self, connection: Connection, command: Edit) -> Ack:
        node = self._node()
        room = node.rooms.joined_by(connection, command.room)
        changed = await node.messages.edit(connection.user, room.key, command.seq, command.text)
        return _changed(node, connection, changed)

    async def delete(self, connection: Connection, command: Delete) -> Ack:
        node = self._node()
        room = node.rooms.joined_by(connection, command.room)
        return _changed(node, connection, await node.messages.delete(connection.user, room.key, command.seq))

    async def react(self, connection: Connection, command: React) -> Ack:
        node = self._node()
        room = node.rooms.joined_by(connection, command.room)
        changed = await node.messages.react(connection.user, room.key, command.seq, command.emoji, on=command.on)
        return _changed(node, connection, changed)

    async def pin(self, connection: Connection, command: Pin) -> Ack:
        node = self._node()
        room = node.rooms.joined_by(connection, command.room)
        changed = await node.messages.pin(connection.user, room.key, command.seq, on=command.on)
        return _changed(node, connection, changed)

    async def history(self, connection: Connection, command: History) -> Answered:
        node = self._node()
        room = node.rooms.joined_by(connection, command.room)
        node.fanout.hold(connection, room.channel)
        try:
            page = await node.catching_up.history(command, charge=connection.charge)
            page.id = command.id
            connection.reply(page)
        finally:
            node.fanout.let_go(connection, room.channel)
        return ANSWERED

    # Rooms.

    async def join(self, connection: Connection, command: Join) -> Answered:
        node = self._node()
        for position in command.positions:
            await taken(connection)
            if not connection.is_open:
                break
            already = node.rooms.has_joined(connection, position.room)
            try:
                room = await node.joining.join(connection, position, limit=command.limit, id=command.id)
            except RequestError as error:
                connection.reply(ErrorEvent.of(error, id=command.id, command=command.type, room=position.room))
            else:
                if not already and connection.is_open:
                    self._hooks.call(self._hooks.on_join, connection, room.key)
        return ANSWERED

    def leave(self, connection: Connection, command: Leave) -> Ack:
        node = self._node()
        room = node.rooms.joined_by(connection, command.room)
        node.typing.stop(connection.user, room)
        node.rooms.leave(connection, command.room)
        self._hooks.call(self._hooks.on_leave, connection, room.key)
        return Ack(room=room.key)

    def typing(self, connection: Connection, command: Typing) -> None:
        node = self._node()
        room = node.rooms.joined_by(connection, command.room)
        if command.active:
            node.typing.start(connection.user, room)
        else:
            node.typing.stop(connection.user, room)

    async def follow(self, connection: Connection, command: Follow) -> Following:
        await self._node().notifications.follow(connection, command.topic)
        return Following(topic=command.topic)

    def unfollow(self, connection: Connection, command: Unfollow) -> None:
        self._node().notifications.unfollow(connection, command.topic)

    def ping(self, connection: Connection, command: Ping) -> PongEvent:
        return PongEvent(ts=timestamp(time.time()))

    def pong(self, connection: Connection, command: Pong) -> Answered:
        return ANSWERED


def _changed(node: Node, connection: Connection, changed: Changed) -> Ack:
    _check_key(node, connection, changed.event)
    return Ack(room=changed.room, rev=changed.rev)


def _check_key(node: Node, connection: Connection, event: MessageEvent | ChangedEvent | RoomEvent | None) -> None:
    """A guest whose key became somebody else's in the meantime, on another node or by an account, did this under a made
    key. It is told that one when it comes back."""
    user = connection.user.key
    if event is None or isinstance(event, RoomEvent) or event.user == user or fold(event.user) == fold(user):
        return
    # After the answer to what it did.
    asyncio.get_running_loop().call_soon(node.guests.has_other_key, connection.user)
