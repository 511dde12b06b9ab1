"""The built-in commands: each hands over to the feature that owns its rules, and says what the answer is."""

from __future__ import annotations

import time
from collections.abc import Awaitable

from hubbub.chat.rooms import Room
from hubbub.errors import RequestError
from hubbub.hub.connection import Connection, Pause
from hubbub.node import Node
from hubbub.server.hooks import Draft, Hooks
from hubbub.server.registry import ANSWERED, Answered, NodeSource, Registry
from hubbub.wire.codes import ErrorCode
from hubbub.wire.commands import Follow, Join, Leave, Ping, Pong, SendMessage, Typing, Unfollow
from hubbub.wire.events import Ack, ErrorEvent, Following, Joined, PongEvent, timestamp


class BuiltInCommands:
    """The protocol's commands, for the node that runs when they come."""

    def __init__(self, node: NodeSource, hooks: Hooks) -> None:
        self._node = node
        self._hooks = hooks

    def register(self, registry: Registry) -> None:
        registry.add(SendMessage, self.send_message)
        registry.add(Join, self.join, in_order=True)
        registry.add(Leave, self.leave)
        registry.add(Typing, self.typing)
        registry.add(Follow, self.follow, in_order=True)
        registry.add(Unfollow, self.unfollow)
        registry.add(Ping, self.ping)
        registry.add(Pong, self.pong)

    def send_message(self, connection: Connection, command: SendMessage) -> Ack | Awaitable[Ack]:
        node = self._node()
        room = node.rooms.joined_by(connection, command.room)
        if self._hooks.before_message:
            return self._send_revised(connection, room, command)
        return self._send(connection, room, command)

    async def _send_revised(self, connection: Connection, room: Room, command: SendMessage) -> Ack:
        connection.pause(Pause.ORDER)
        try:
            draft = await self._hooks.revise(Draft(connection, room.key, command.text, command.data))
            revised = SendMessage.model_validate(
                command.model_dump() | {"text": draft.text, "data": draft.data}, strict=True
            )
            return self._send(connection, room, revised)
        finally:
            connection.resume(Pause.ORDER)

    def _send(self, connection: Connection, room: Room, command: SendMessage) -> Ack:
        node = self._node()
        event = node.messages.send(connection.user, room, command.text, key=command.key, data=command.data)
        node.typing.sent(connection.user, room)
        if self._hooks.on_message:
            self._hooks.call(self._hooks.on_message, event)
        return Ack(room=event.room, ts=event.ts)

    async def join(self, connection: Connection, command: Join) -> Answered:
        node = self._node()
        for position in command.positions:
            try:
                already = node.rooms.has_joined(connection, position.room)
                room = await node.rooms.join(connection, position.room)
            except RequestError as error:
                connection.reply(
                    ErrorEvent(
                        id=command.id,
                        command=command.type,
                        room=position.room,
                        code=ErrorCode(error.code),
                        message=error.message,
                    )
                )
                continue
            connection.reply(joined(node, room, id=command.id))
            if not already:
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


def joined(node: Node, room: Room, *, id: str | None = None) -> Joined:
    """A room as it is now. Nothing is stored, so nothing that was missed can be recovered, and it says so."""
    return Joined(
        id=id,
        room=room.key,
        name=room.name,
        online=room.online,
        users=room.users(),
        epoch=node.epoch,
        recovered=False,
    )


def recover_missed(node: Node, connection: Connection, missed: dict[str, int | None]) -> None:
    """A congested connection takes part again: for each room where it missed something, begin anew."""
    for channel in missed:
        room = node.rooms.at(channel)
        if room is not None:
            connection.reply(joined(node, room))
