"""Users' channels: a publication in one reaches all connections of a user, on all nodes.

A node follows the channel of each user who is connected to it. If there are no other nodes, nothing is followed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from hubbub.broker.base import Broker
from hubbub.delivery.connection import Connection
from hubbub.delivery.connections import Connections
from hubbub.dispatch.link import run
from hubbub.wire.base import Event
from hubbub.wire.codecs import JSON_CODEC
from hubbub.wire.keys import fold
from hubbub.wire.publication import Publication

PREFIX = "user:"

_ORDER = b'{"type":"@'
"""The first bytes of an event for the nodes, not for clients: no type of a client's event begins with @."""
Order = Callable[[str, Mapping[str, Any]], None]
"""It gets the user's folded key, and what was said. It must not wait or raise."""
_CLOSE, _MAKE_WAY, _TELL = "@close", "@make_way", "@tell"


class UserChannels:
    """`make_way` is called with a key that an account has claimed on another node."""

    def __init__(self, broker: Broker, connections: Connections, *, make_way: Callable[[str], None]) -> None:
        self._broker = broker
        self._connections = connections
        self._make_way = make_way
        self._orders: dict[str, Order] = {}

    def add_order(self, name: str, order: Order) -> None:
        """Let `order` call this on every node that the user is connected to. A name begins with @."""
        self._orders[name] = order

    def connected(self, connection: Connection) -> None:
        """A connection is there."""
        if self._broker.reaches_others and self.count(channel := _channel_of(connection.user.key)) == 1:
            run(self._broker.subscribe(channel))

    def disconnected(self, connection: Connection) -> None:
        """A connection has ended."""
        if self._broker.reaches_others and not self.count(channel := _channel_of(connection.user.key)):
            run(self._broker.unsubscribe(channel))

    async def send(self, key: str, event: Event | Mapping[str, Any]) -> int:
        """Send an event to all connections of a user. Returns how many these are, on all nodes."""
        return await self._publish(key, event)

    async def tell(self, key: str, identity: str, event: Event) -> None:
        """Send an event to this very user: not to a guest who has the key of an account, or had it before another."""
        await self.order(key, _TELL, identity=identity, event=event.model_dump(mode="json", exclude_none=True))

    async def order(self, key: str, name: str, **said: Any) -> int:
        """Have every node that a user is connected to do something. Returns how many connections these are."""
        return await self._publish(key, {"type": name, **said})

    async def close(self, key: str, code: int, reason: str) -> int:
        """Close all connections of a user. Returns how many these were, on all nodes."""
        return await self._publish(key, {"type": _CLOSE, "code": code, "reason": reason})

    def make_way(self, key: str) -> None:
        """Tell the other nodes that this key is an account's."""
        if self._broker.reaches_others:
            self._broker.publish(Publication(_channel_of(key), {"type": _MAKE_WAY}))

    async def _publish(self, key: str, event: Event | Mapping[str, Any]) -> int:
        channel = _channel_of(key)
        counting = asyncio.ensure_future(self._broker.count(channel))
        # The question leaves before the publication, since closed connections are not counted.
        await asyncio.sleep(0)
        publication = Publication(channel, event)
        if self._broker.reaches_others:
            self._broker.publish(publication)
        else:
            self.receive(publication)
        return await counting

    def count(self, channel: str) -> int:
        """How many connections to this node a user has."""
        return self._connections.count_of_user(channel.removeprefix(PREFIX))

    def receive(self, publication: Publication) -> None:
        """Take a publication in a user's channel, from this node or another one."""
        key = publication.channel.removeprefix(PREFIX)
        payload = publication.payload(JSON_CODEC)
        if not payload.startswith(_ORDER):
            for connection in self._connections.of_user(key):
                connection.send(publication)
            return
        order = JSON_CODEC.decode(payload)
        if order["type"] == _CLOSE:
            for connection in self._connections.of_user(key):
                connection.close(order["code"], order["reason"])
        elif order["type"] == _TELL:
            told = Publication(publication.channel, order["event"])
            for connection in self._connections.of_user(key):
                if connection.user.identity == order["identity"]:
                    connection.send(told)
        elif order["type"] == _MAKE_WAY:
            self._make_way(key)
        elif order["type"] in self._orders:
            self._orders[order["type"]](key, order)


def _channel_of(key: str) -> str:
    return PREFIX + fold(key)
