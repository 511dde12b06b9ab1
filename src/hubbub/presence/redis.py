"""Presence among nodes that share Redis: each node takes a step of `step.lua` ten times a second, or when it has news.

A step renews the node's lease, tells what is new, and gives what is new with the others. So there is nothing to be
subscribed to, and no answer that another one could overtake. Each server carries a share of the channels (as the
broker's do) and knows nothing of the others.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import ormsgpack

from hubbub.broker.redis_address import RedisAddress
from hubbub.broker.redis_connection import RedisAway, RedisConnection, ReplyError
from hubbub.broker.redis_link import RedisLink
from hubbub.broker.ring import Ring
from hubbub.errors import Unavailable
from hubbub.presence.base import Audience
from hubbub.presence.crowd import NAMED_UP_TO, Crowd
from hubbub.presence.shared import Shared, read_info
from hubbub.wire.identity import User
from hubbub.wire.rooms import USERS_OF_MANY

log = logging.getLogger("hubbub.presence")

EVERY = 0.1
"""The most seconds between two steps, and so until this node hears of a change on another one."""
GATHERED = 0.01
"""The least seconds between two steps: under load, many changes are told together."""
PAUSE = 1.0
"""Seconds after a step that was refused."""
LEASE_MORE = 2.0
"""Seconds that a lease is longer than the time in which those who vanished are expected back."""
LEASE_LEAST = 5.0
STOP = 1.0

SCRIPT = files(__package__).joinpath("step.lua").read_text("utf-8")


class RedisPresence:
    """`linger` is the time in seconds in which people who vanished are expected back; also those of a node that died.
    `timeout` is in seconds, for connecting and for each answer. All nodes must give the addresses in the same order,
    because the place in the list decides which server carries a channel."""

    def __init__(
        self,
        addresses: Sequence[RedisAddress],
        *,
        linger: float,
        namespace: str = "hubbub",
        timeout: float = 3.0,
    ) -> None:
        node, lease = secrets.token_hex(6), max(linger + LEASE_MORE, LEASE_LEAST)
        self._servers = [
            _Server(address, node, f"{namespace}:presence:", lease=lease, timeout=timeout) for address in addresses
        ]
        self._ring = Ring(len(addresses))

    async def start(self, audience: Audience) -> None:
        """Raises `ConfigurationError` if a person must change something; then nothing runs."""
        starting = (server.start(audience) for server in self._servers)
        for failure in await asyncio.gather(*starting, return_exceptions=True):
            if failure is not None:
                await self.stop()
                raise failure

    async def stop(self) -> None:
        await asyncio.gather(*(server.stop() for server in self._servers))

    def enter(self, channel: str, user: User) -> None:
        server = self._server_of(channel)
        server.shared.enter(channel, user)
        server.wake()

    def exit(self, channel: str, user: User) -> None:
        server = self._server_of(channel)
        server.shared.exit(channel, user)
        server.wake()

    def crowd(self, channel: str) -> Crowd | None:
        return self._server_of(channel).shared.crowd(channel)

    async def ask(self, channel: str) -> Crowd:
        server = self._server_of(channel)
        await server.heard_of(channel)
        return server.shared.crowd(channel) or await server.read(channel)

    def _server_of(self, channel: str) -> _Server:
        servers = self._servers
        return servers[0] if len(servers) == 1 else servers[self._ring.place(channel)]


class _Server:
    """One of the servers, and the channels that it carries."""

    shared: Shared

    def __init__(self, address: RedisAddress, node: str, prefix: str, *, lease: float, timeout: float) -> None:
        self._link = RedisLink(address, timeout=timeout, greet=self._greet, connected=self.wake, lost=self.wake)
        self._node = node
        self._prefix = prefix
        self._lease = round(1000 * lease)
        self._address = address
        self._script = ""
        self._refusal = ""
        self._news = asyncio.Event()
        self._made = 0
        self._done = 0
        self._waiting: list[tuple[int, str, asyncio.Future[None]]] = []
        self._stepping: asyncio.Task[None] | None = None

    async def start(self, audience: Audience) -> None:
        self.shared = Shared(self._node, clock=time.monotonic, audience=audience)
        await self._link.start()
        self._stepping = asyncio.get_running_loop().create_task(self._step_on())

    async def stop(self) -> None:
        if self._stepping is not None:
            self._stepping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._stepping
            self._stepping = None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP):
                    # Those who have left by themselves. All others may be coming back.
                    await self._take_step()
        await self._link.stop()
        self._answer_waiting()

    def wake(self) -> None:
        self._news.set()

    async def heard_of(self, channel: str) -> None:
        number = self._made if self.shared.is_told(channel) else self._made + 1
        if number == self._done and not self.shared.is_stale(channel):
            return
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((number, channel, answered))
        self._news.set()
        await answered

    async def read(self, channel: str) -> Crowd:
        """Whom all nodes have in a channel in which this one has nobody. Raises `Unavailable`."""
        crowd = Crowd()
        order, people = f"{self._prefix}order:{channel}", f"{self._prefix}people:{channel}"
        try:
            online = await self._link.call("ZCARD", order)
            most = NAMED_UP_TO if online <= NAMED_UP_TO else USERS_OF_MANY
            first = await self._link.call("ZRANGE", order, 0, most - 1)
            if first:
                entries = await self._link.call("HMGET", people, *first)
                # Some may have gone since.
                users = {
                    key.decode(): read_info(entry.split(b"\n", 1)[1])
                    for key, entry in zip(first, entries, strict=True)
                    if entry is not None
                }
                crowd.replace(users, online if online > NAMED_UP_TO else None)
        except (RedisAway, ReplyError):
            raise Unavailable("the list of who is online cannot be read now", retry_after=1000) from None
        return crowd

    async def _greet(self, connection: RedisConnection) -> None:
        self._script = (await connection.call("SCRIPT", "LOAD", SCRIPT)).decode()

    async def _step_on(self) -> None:
        loop = asyncio.get_running_loop()
        ticked = loop.time()
        while True:
            began = loop.time()
            self._news.clear()
            went_well = await self._take_step()
            if loop.time() - ticked >= 1:
                ticked = loop.time()
                self.shared.tick()
            if not went_well and self._link.is_up:
                await asyncio.sleep(PAUSE)
            elif not (went_well and self.shared.is_urgent):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(EVERY):
                        await self._news.wait()
            await asyncio.sleep(max(0.0, began + GATHERED - loop.time()))

    async def _take_step(self) -> bool:
        """Says and hears what is new. False if it could not."""
        shared = self.shared
        went_well = False
        self._made += 1
        try:
            if self._link.is_up:
                step = shared.step()
                reply = await self._call(step.node, step.begins, step.operations)
                if reply is None:
                    shared.lost()
                else:
                    busy, run, heard = reply
                    happened = [what for packed in heard for what in ormsgpack.unpackb(packed)]
                    shared.heard(step, run.decode(), happened, is_over=not busy)
                went_well = True
        except RedisAway:
            pass
        except ReplyError as error:
            self._note(str(error))
        except Exception:
            log.exception("presence fails")
        if went_well:
            self._refusal = ""
        if not went_well and (shared.is_connected or self._link.is_up):
            shared.lost()
        self._done = self._made
        self._answer_waiting()
        return went_well

    def _note(self, refusal: str) -> None:
        if refusal != self._refusal:
            self._refusal = refusal
            log.error("%s refuses presence, and each node shows its own people only: %s", self._address, refusal)

    async def _call(self, node: str, begins: bool, operations: list[list[str]]) -> Any:
        arguments = (0, self._prefix, node, self._lease, int(begins), ormsgpack.packb(operations))
        try:
            return await self._link.call("EVALSHA", self._script, *arguments)
        except ReplyError as error:
            if not str(error).startswith("NOSCRIPT"):
                raise
            return await self._link.call("EVAL", SCRIPT, *arguments)

    def _answer_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for number, channel, answered in waiting:
            if (
                self._stepping is not None
                and self.shared.is_connected
                and (number > self._done or self.shared.is_stale(channel))
            ):
                self._waiting.append((number, channel, answered))
            elif not answered.done():
                answered.set_result(None)
