"""Pages of who is where, over nodes that share Redis. `step.lua` keeps the lists in order; here they are only read."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from heapq import merge, nsmallest
from itertools import islice
from typing import Any, Generic, Protocol, TypeVar

from hubbub.broker.redis_connection import RedisAway, ReplyError
from hubbub.broker.ring import Part, SharedOut
from hubbub.errors import Unavailable
from hubbub.presence.crowd import Crowd, key_at
from hubbub.presence.replica import Replica, read_entry
from hubbub.wire.identity import User


class Server(Part, Protocol):
    """One of the Redis servers, and what this node knows of the channels that it carries."""

    replica: Replica

    async def call(self, command: str, key: str, *arguments: str | int) -> Any:
        """Raises `RedisAway`, `ReplyError`."""

    async def read(self, channel: str) -> Crowd:
        """Whom all nodes have in a channel. Raises `Unavailable`."""


ServerT = TypeVar("ServerT", bound=Server)


class RedisLists(Generic[ServerT]):
    """Reads from the servers. Without them it gives what this node knows by itself."""

    def __init__(self, servers: SharedOut[ServerT]) -> None:
        self._servers = servers

    async def channels(self, after: str, most: int) -> list[str]:
        pages = await asyncio.gather(*(self._channels(server, after, most) for server in self._servers))
        return list(islice(merge(*pages), most))

    async def counts(self, channels: Sequence[str]) -> list[int | None]:
        # The commands of one turn of the loop are one write.
        return await asyncio.gather(*map(self._count, channels))

    async def places(self, channel: str, after: str, most: int) -> list[str]:
        server = self._servers.of(channel)
        crowd = server.replica.crowd(channel)
        if crowd is None or crowd.many is not None:
            try:
                found = await _page(server, f"listed:{channel}", after, most)
            except (RedisAway, ReplyError):
                return _known(crowd).places(after, most)
            if found:
                return found
            crowd = await server.read(channel)
            if crowd.many is not None:
                return []
        return crowd.places(after, most)

    async def users(self, channel: str, places: Sequence[str]) -> list[User]:
        server = self._servers.of(channel)
        crowd = server.replica.crowd(channel)
        if not places:
            return []
        if crowd is not None and crowd.many is None:
            return crowd.users_at(places)
        try:
            entries = await server.call("HMGET", f"people:{channel}", *map(key_at, places))
        except (RedisAway, ReplyError):
            return _known(crowd).users_at(places)
        return [read_entry(entry) for entry in entries if entry is not None]

    async def _channels(self, server: Server, after: str, most: int) -> list[str]:
        try:
            return await _page(server, "channels", after, most)
        except (RedisAway, ReplyError):
            return nsmallest(most, (channel for channel in server.replica.channels() if channel > after))

    async def _count(self, channel: str) -> int | None:
        server = self._servers.of(channel)
        crowd = server.replica.crowd(channel)
        if crowd is not None:
            return crowd.online
        try:
            return int(await server.call("ZCARD", f"order:{channel}"))
        except (RedisAway, ReplyError):
            return None


async def _page(server: Server, key: str, after: str, most: int) -> list[str]:
    found = await server.call("ZRANGEBYLEX", key, f"({after}", "+", "LIMIT", 0, most)
    return [item.decode() for item in found]


def _known(crowd: Crowd | None) -> Crowd:
    if crowd is None:
        raise Unavailable("the list of who is online cannot be read now", retry_after=1000)
    return crowd
