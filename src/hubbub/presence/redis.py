"""Presence among nodes that share Redis: each node takes a step of `step.lua` ten times a second, or when it has news.

A step renews the node's lease, tells what is new here, and returns what is new on the other nodes. So nothing is
subscribed to, and no answer can overtake another one. Each server carries a share of the channels, as the broker's do,
and knows nothing of the others.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Sequence
from typing import Any

import ormsgpack

from hubbub.broker.redis_address import RedisAddress
from hubbub.broker.redis_connection import RedisAway, RedisConnection, ReplyError
from hubbub.broker.redis_greeting import refusal_of
from hubbub.broker.redis_link import RedisLink
from hubbub.broker.redis_script import RedisScript
from hubbub.broker.ring import SharedOut
from hubbub.errors import Unavailable
from hubbub.presence.base import Audience
from hubbub.presence.crowd import NAMED_UP_TO, Crowd
from hubbub.presence.lease import lease_of
from hubbub.presence.redis_lists import RedisLists
from hubbub.presence.replica import Operation, Replica, read_entry
from hubbub.wire.identity import User
from hubbub.wire.rooms import USERS_OF_MANY

log = logging.getLogger("hubbub.presence")

EVERY = 0.1
"""The most seconds between two steps, and so until this node hears of a change on another one."""
GATHERED = 0.01
"""The least seconds between two steps: under load, many changes are told together."""
PAUSE = 1.0
"""Seconds after a step that was refused."""
STOP = 1.0


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
        node, prefix = secrets.token_hex(6), f"{namespace}:presence:"
        self._servers = SharedOut(
            [_Server(address, node, prefix, lease=lease_of(linger), timeout=timeout) for address in addresses]
        )
        self.lists = RedisLists(self._servers)

    async def start(self, audience: Audience) -> None:
        """Raises `ConfigurationError` if a person must change something; then nothing runs."""
        await self._servers.start(lambda server: server.start(audience))

    async def stop(self) -> None:
        await self._servers.stop()

    def enter(self, channel: str, user: User) -> None:
        server = self._servers.of(channel)
        server.replica.enter(channel, user)
        server.wake()

    def exit(self, channel: str, user: User) -> None:
        server = self._servers.of(channel)
        server.replica.exit(channel, user)
        server.wake()

    def crowd(self, channel: str) -> Crowd | None:
        return self._servers.of(channel).replica.crowd(channel)

    async def ask(self, channel: str) -> Crowd:
        server = self._servers.of(channel)
        await server.brought_up_to_date(channel)
        return server.replica.crowd(channel) or await server.read(channel)

    @property
    def problem(self) -> str | None:
        problems = [problem for server in self._servers if (problem := server.problem)]
        return "; ".join(problems) or None


class _Server:
    """One of the servers, and the channels that it carries."""

    replica: Replica

    def __init__(self, address: RedisAddress, node: str, prefix: str, *, lease: int, timeout: float) -> None:
        self._link = RedisLink(address, timeout=timeout, greet=self._greet, connected=self.wake, lost=self.wake)
        self._node = node
        self._prefix = prefix
        self._lease = lease
        self._address = address
        self._script = RedisScript(__package__, "step.lua")
        self._refusal = ""
        self._news = asyncio.Event()
        self._begun = 0
        """How many steps were begun."""
        self._ended = 0
        """How many steps have ended."""
        self._waiting: list[tuple[int, str, asyncio.Future[None]]] = []
        """Until which step a caller waits, for which channel."""
        self._stepping: asyncio.Task[None] | None = None

    async def start(self, audience: Audience) -> None:
        self.replica = Replica(self._node, clock=time.monotonic, audience=audience)
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

    @property
    def problem(self) -> str | None:
        return self._link.problem or (f"{self._address}: {self._refusal}" if self._refusal else None)

    def wake(self) -> None:
        self._news.set()

    async def brought_up_to_date(self, channel: str) -> None:
        """Returns when the crowd of a channel has everybody whom this node has entered there until now."""
        number = self._begun if self.replica.is_told(channel) else self._begun + 1
        if number == self._ended and not self.replica.is_stale(channel):
            return
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((number, channel, answered))
        self._news.set()
        await answered

    async def call(self, command: str, key: str, *arguments: str | int) -> Any:
        """A command about one of presence's keys, which is named without the namespace. Raises `RedisAway`,
        `ReplyError`."""
        return await self._link.call(command, self._prefix + key, *arguments)

    async def read(self, channel: str) -> Crowd:
        """Whom all nodes have in a channel in which this one has nobody. Raises `Unavailable`."""
        crowd = Crowd()
        order, people = f"order:{channel}", f"people:{channel}"
        try:
            online = await self.call("ZCARD", order)
            most = NAMED_UP_TO if online <= NAMED_UP_TO else USERS_OF_MANY
            first = await self.call("ZRANGE", order, 0, most - 1)
            if first:
                entries = await self.call("HMGET", people, *first)
                # Some may have gone since.
                users = {
                    key.decode(): read_entry(entry)
                    for key, entry in zip(first, entries, strict=True)
                    if entry is not None
                }
                crowd.replace(users, online if online > NAMED_UP_TO else None)
        except (RedisAway, ReplyError):
            raise Unavailable("the list of who is online cannot be read now", retry_after=1000) from None
        return crowd

    async def _greet(self, connection: RedisConnection) -> None:
        await self._script.load(connection)

    async def _step_on(self) -> None:
        loop = asyncio.get_running_loop()
        ticked = loop.time()
        while True:
            began = loop.time()
            self._news.clear()
            went_well = await self._take_step()
            if loop.time() - ticked >= 1:
                ticked = loop.time()
                self.replica.tick()
            if not went_well and self._link.is_up:
                await asyncio.sleep(PAUSE)
            elif not (went_well and self.replica.is_urgent):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(EVERY):
                        await self._news.wait()
            await asyncio.sleep(max(0.0, began + GATHERED - loop.time()))

    async def _take_step(self) -> bool:
        """Tells and hears what is new. False if it could not."""
        went_well = False
        self._begun += 1
        try:
            if self._link.is_up:
                await self._exchange()
                went_well = True
        except RedisAway:
            pass
        except ReplyError as error:
            self._note(refusal_of(error))
        except Exception:
            log.exception("presence fails")
        if went_well:
            self._refusal = ""
        elif self._link.is_up or not self.replica.is_alone:
            self.replica.lost()
        self._ended = self._begun
        self._answer_waiting()
        return went_well

    async def _exchange(self) -> None:
        step = self.replica.step()
        reply = await self._call(step.node, step.begins, step.operations)
        if reply is None:
            self.replica.lost()
            return
        took_people_out, memory, unheard = reply
        happened = [what for packed in unheard for what in ormsgpack.unpackb(packed)]
        self.replica.heard(step, memory.decode(), happened, is_over=not took_people_out)

    def _note(self, refusal: str) -> None:
        if refusal != self._refusal:
            self._refusal = refusal
            log.error(
                "%s refuses presence, and the people of other nodes are those who were known last: %s",
                self._address,
                refusal,
            )

    async def _call(self, node: str, begins: bool, operations: list[Operation]) -> Any:
        arguments = (self._prefix, node, self._lease, int(begins), ormsgpack.packb(operations))
        return await self._script.call(self._link, *arguments)

    def _answer_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for number, channel, answered in waiting:
            if (
                self._stepping is not None
                and not self.replica.is_alone
                and (number > self._ended or self.replica.is_stale(channel))
            ):
                self._waiting.append((number, channel, answered))
            elif not answered.done():
                answered.set_result(None)
