"""The built-in commands: each hands over to the feature that owns its rules, and says what the answer is."""

from __future__ import annotations

import time
from functools import partial

from hubbub.chat.rooms import Room
from hubbub.errors import RequestError
from hubbub.hub.connection import Connection
from hubbub.node import Node
from hubbub.server.registry import ANSWERED, Answered, Registry
from hubbub.wire.codes import ErrorCode
from hubbub.wire.commands import Join, Leave, Ping, Pong, SendMessage, Typing
from hubbub.wire.events import Ack, ErrorEvent, Joined, PongEvent, timestamp


def register_built_in(registry: Registry, node: Node) -> None:
    """Add the commands of the protocol to a registry."""
    registry.add(SendMessage, partial(_send_message, node))
    registry.add(Join, partial(_join, node), in_order=True)
    registry.add(Leave, partial(_leave, node))
    registry.add(Typing, partial(_typing, node))
    registry.add(Ping, _ping)
    registry.add(Pong, _pong)


def _send_message(node: Node, connection: Connection, command: SendMessage) -> Ack:
    room = node.rooms.joined_by(connection, command.room)
    event = node.messages.send(connection.user, room, command.text, key=command.key, data=command.data)
    node.typing.sent(connection.user, room)
    return Ack(room=event.room, ts=event.ts)


async def _join(node: Node, connection: Connection, command: Join) -> Answered:
    for position in command.positions:
        try:
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
        else:
            connection.reply(joined(node, room, id=command.id))
    return ANSWERED


def _leave(node: Node, connection: Connection, command: Leave) -> Ack:
    room = node.rooms.joined_by(connection, command.room)
    node.typing.stop(connection.user, room)
    node.rooms.leave(connection, command.room)
    return Ack(room=room.key)


def _typing(node: Node, connection: Connection, command: Typing) -> None:
    room = node.rooms.joined_by(connection, command.room)
    if command.active:
        node.typing.start(connection.user, room)
    else:
        node.typing.stop(connection.user, room)


def _ping(connection: Connection, command: Ping) -> PongEvent:
    return PongEvent(ts=timestamp(time.time()))


def _pong(connection: Connection, command: Pong) -> Answered:
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
        connection.reply(joined(node, node.rooms.at(channel)))
