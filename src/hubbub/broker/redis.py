"""The Redis broker: publications between nodes by Redis's channels, on one server or shared out among several.

Nothing durable is in Redis. If Redis loses publications, the broker reports their channels as missed. If Redis could
not take this node's publications, the other nodes get the channel's position as soon as Redis is back.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from hubbub.broker.base import Count, Deliver, Missed, no_connections
from hubbub.broker.counting import Counting, answer, asker_of, is_question
from hubbub.broker.envelope import SENDER_BYTES, mark_of, pack, unpack
from hubbub.broker.redis_address import RedisAddress
from hubbub.broker.redis_connection import RedisAway, RedisConnection, ReplyError
from hubbub.broker.redis_link import RedisLink
from hubbub.broker.ring import SharedOut
from hubbub.errors import ConfigurationError
from hubbub.wire.publication import Publication

log = logging.getLogger("hubbub.broker")

TICK = 1.0
"""While a server is away, its channels are reported as missed again after so many seconds."""
BACKLOG = 16 * 1024 * 1024
"""Bytes that may wait for one server. Publications beyond that are dropped."""
OWED = 100_000
"""Channels whose positions are kept until their server is back."""
PER_TURN = 500
"""Channels that are subscribed to again in one turn of the loop."""
CLAIM_LASTS = 60
"""Seconds for which a server belongs to a cluster whose nodes are gone."""


class RedisBroker:
    """`namespace` separates several clusters on one server; a database number does so too. `timeout` is in seconds, for
    connecting and for each answer. All nodes must give the addresses in the same order, because the place in the list
    decides which server carries a channel.
    """

    reaches_others = True

    def __init__(
        self,
        addresses: Sequence[RedisAddress],
        *,
        namespace: str = "hubbub",
        timeout: float = 3.0,
        backlog: int = BACKLOG,
    ) -> None:
        self._servers = SharedOut(
            [
                _Server(address, f"{index}/{len(addresses)}", namespace, timeout=timeout, backlog=backlog)
                for index, address in enumerate(addresses, 1)
            ]
        )
        self._ticking: asyncio.Task[None] | None = None

    async def start(self, deliver: Deliver, missed: Missed, *, cluster: str, count: Count = no_connections) -> None:
        sender = secrets.token_bytes(SENDER_BYTES)
        await self._servers.start(lambda server: server.start(deliver, missed, count, cluster, sender))
        self._ticking = asyncio.get_running_loop().create_task(self._tick())

    async def stop(self) -> None:
        if self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None
        await self._servers.stop()

    def publish(self, publication: Publication) -> None:
        self._servers.of(publication.channel).publish(publication)

    async def subscribe(self, channel: str) -> None:
        await self._servers.of(channel).subscribe(channel)

    async def unsubscribe(self, channel: str) -> None:
        self._servers.of(channel).unsubscribe(channel)

    async def count(self, channel: str) -> int:
        return await self._servers.of(channel).count(channel)

    @property
    def problem(self) -> str | None:
        problems = [problem for server in self._servers if (problem := server.problem)]
        return "; ".join(problems) or None

    async def _tick(self) -> None:
        ticks = 0
        while True:
            await asyncio.sleep(TICK)
            ticks += 1
            for server in self._servers:
                server.tell_while_away()
                if ticks % (CLAIM_LASTS // 3) == 0:
                    server.renew_claim()


class _Server:
    """One of the servers, and the channels that it carries."""

    def __init__(self, address: RedisAddress, place: str, namespace: str, *, timeout: float, backlog: int) -> None:
        self._place = place
        self._namespace = namespace
        self._timeout = timeout
        self._backlog = backlog
        # Redis's channels do not depend on the database number, as its keys do. Here they do.
        self._prefix = f"{namespace}:{address.database}:".encode()
        self._key = f"{namespace}:cluster"
        self._link = RedisLink(
            address,
            timeout=timeout,
            greet=self._greet,
            connected=self._connected,
            lost=self._tell_all,
            pushed=self._pushed,
        )
        self._deliver: Deliver | None = None
        self._missed: Missed = lambda _: None
        self._count: Count = no_connections
        self._counting = Counting(b"")
        self._answers = b""
        """The name in Redis of the channel in which others answer this node."""
        self._claim = b""
        self._sender = b""
        self._mark = b""
        self._followed: dict[bytes, str] = {}
        """Channels by their names in Redis."""
        self._unheard: dict[str, None] = {}
        """Channels that were subscribed to after a gap, in this turn of the loop."""
        self._owed: dict[str, int] = {}
        """The positions of publications that did not reach the server, by channel."""
        self._is_dropping = False
        self._has_warned = False
        self._claiming: asyncio.Task[None] | None = None
        self._making_up: asyncio.Task[None] | None = None

    async def start(self, deliver: Deliver, missed: Missed, count: Count, cluster: str, sender: bytes) -> None:
        self._deliver, self._missed, self._count = deliver, missed, count
        self._counting, self._answers = Counting(sender), self._answers_of(sender)
        self._sender, self._mark = sender, mark_of(sender)
        self._claim = f"{cluster} {self._place}".encode()
        await self._link.start()

    async def stop(self) -> None:
        self._deliver = None
        self._followed.clear()
        self._owed.clear()
        for task in (self._claiming, self._making_up):
            if task is not None:
                task.cancel()
        await self._link.stop()

    @property
    def problem(self) -> str | None:
        if self._link.problem is None and self._is_dropping:
            return f"{self._link.address}: it takes less than is published"
        return self._link.problem

    # Publishing.

    def publish(self, publication: Publication) -> None:
        if self._deliver is None:
            return
        name = self._name_of(publication.channel)
        # First to Redis: then the other nodes have it before this one writes to all its members.
        self._send(name, publication)
        if name in self._followed:
            self._deliver(publication)

    def _send(self, name: bytes, publication: Publication) -> None:
        if not self._link.is_up or self._link.backlog > self._backlog:
            self._drop(publication)
            return
        try:
            packed = pack(publication, self._sender)
        except Exception:
            log.exception("a publication for channel %r cannot be encoded", publication.channel)
        else:
            self._link.send((b"PUBLISH", name, packed), partial(self._published, publication))

    def _published(self, publication: Publication, reply: Any) -> None:
        if isinstance(reply, Exception):
            self._owe(publication)
            if isinstance(reply, ReplyError):
                self._link.cut(f"it refuses publications: {reply}")
        elif (self._owed or self._is_dropping) and self._link.backlog < self._backlog // 2:
            self._make_up()

    def _drop(self, publication: Publication) -> None:
        self._owe(publication)
        if self._link.is_up and not self._is_dropping:
            self._is_dropping = True
            log.warning("%s takes less than is published: the rest is dropped", self._link.address)

    def _owe(self, publication: Publication) -> None:
        channel, position = publication.channel, publication.position
        if position is not None and (channel in self._owed or len(self._owed) < OWED):
            self._owed[channel] = max(position, self._owed.get(channel, position))

    def _make_up(self, *, subscribe_again: bool = False) -> None:
        if self._making_up is None or self._making_up.done():
            names = list(self._followed) if subscribe_again else []
            self._making_up = asyncio.get_running_loop().create_task(self._make_up_for(names))

    async def _make_up_for(self, names: list[bytes]) -> None:
        """Subscribe again, and publish the positions that the other nodes did not get. It does a part in each turn of
        the loop, because there may be very many channels."""
        for number, name in enumerate(names, 1):
            channel = self._followed.get(name)
            if channel is not None:
                self._link.send((b"SUBSCRIBE", name), partial(self._subscribed, channel, None))
            if number % PER_TURN == 0:
                await asyncio.sleep(0)
        self._is_dropping = False
        number = 0
        while self._owed and self._link.is_up:
            channel, position = self._owed.popitem()
            head = Publication.head(channel, position)
            packed = pack(head, self._sender)
            self._link.send((b"PUBLISH", self._name_of(channel), packed), partial(self._published, head))
            number += 1
            if number % PER_TURN == 0:
                await asyncio.sleep(0)

    # Following.

    async def subscribe(self, channel: str) -> None:
        if self._deliver is None:
            return
        name = self._name_of(channel)
        self._followed[name] = channel
        if not self._link.is_up:
            return
        confirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._link.send((b"SUBSCRIBE", name), partial(self._subscribed, channel, confirmed))
        await asyncio.wait({confirmed}, timeout=self._timeout)
        confirmed.cancel()

    def unsubscribe(self, channel: str) -> None:
        name = self._name_of(channel)
        if self._followed.pop(name, None) is not None and self._link.is_up:
            self._link.send((b"UNSUBSCRIBE", name), lambda _: None)

    def _subscribed(self, channel: str, confirmed: asyncio.Future[None] | None, reply: Any) -> None:
        if isinstance(reply, ReplyError):
            self._link.cut(f"it refuses subscriptions: {reply}")
        if confirmed is not None and not confirmed.done():
            confirmed.set_result(None)
        elif not isinstance(reply, Exception):
            # Nobody waits for this subscription. Publications before it were not received.
            if not self._unheard:
                asyncio.get_running_loop().call_soon(self._tell_unheard)
            self._unheard[channel] = None

    def _pushed(self, push: list[Any]) -> None:
        if push[0] != b"message":
            return
        channel, packed = self._followed.get(push[1]), push[2]
        if self._deliver is None or packed.startswith(self._mark):
            return
        try:
            if is_question(packed):
                # Also if this node has just left the channel: the other one waits for an answer.
                self._answer(channel, packed)
            elif channel is not None:
                self._deliver(unpack(channel, packed))
            elif push[1] == self._answers:
                self._counting.answered(packed)
        except ValueError as error:
            # During an upgrade, nodes of another release publish thousands of them.
            if not self._has_warned:
                self._has_warned = True
                log.warning("channel %r carried a publication that no node of this release makes: %s", channel, error)
        except Exception:
            log.exception("a publication from channel %r could not be delivered", channel)

    # Counting.

    async def count(self, channel: str) -> int:
        here = self._count(channel)
        question, asked = self._counting.ask()
        name = self._name_of(channel)
        # If this node follows the channel, it gets its own question, and does not answer. It may have left the channel
        # when the reply comes.
        hears_itself = name in self._followed
        try:
            heard = await self._link.call(b"PUBLISH", name, question)
        except (RedisAway, ReplyError):
            asked.answered.cancel()
            return here
        return here + await self._counting.sum(asked, heard - hears_itself)

    def _answer(self, channel: str | None, question: bytes) -> None:
        asker = asker_of(question)
        if asker != self._sender:
            count = self._count(channel) if channel is not None else 0
            self._link.send((b"PUBLISH", self._answers_of(asker), answer(question, count)), lambda _: None)

    def _answers_of(self, node: bytes) -> bytes:
        return self._prefix + b"!" + node.hex().encode()

    # Gaps.

    def _connected(self) -> None:
        self._has_warned = False
        if self._making_up is not None:
            self._making_up.cancel()
            self._making_up = None
        self._make_up(subscribe_again=True)

    def _tell_unheard(self) -> None:
        unheard, self._unheard = self._unheard, {}
        self._missed([channel for channel in unheard if self._name_of(channel) in self._followed])

    def _tell_all(self) -> None:
        if self._followed:
            self._missed(list(self._followed.values()))

    def tell_while_away(self) -> None:
        if not self._link.is_up:
            self._tell_all()

    # Whose server it is.

    async def _greet(self, connection: RedisConnection) -> None:
        """Check at the start whether the server allows all commands that are needed later."""
        probe = self._prefix + b"?"
        await connection.call(b"PUBLISH", probe, b"")
        await connection.call(b"SUBSCRIBE", probe)
        await connection.call(b"UNSUBSCRIBE", probe)
        await connection.call(b"SUBSCRIBE", self._answers)
        await self._claim_server(connection.call)

    async def _claim_server(self, call: Callable[..., Any]) -> None:
        """Raises `ConfigurationError` if nodes use the server whose database or list of servers is another."""
        theirs = await call("GETEX", self._key, "EX", CLAIM_LASTS)
        if theirs is None:
            try:
                theirs = await call("SET", self._key, self._claim, "NX", "GET", "EX", CLAIM_LASTS)
            except ReplyError as error:
                if not str(error).startswith("OOM"):
                    raise
                log.warning("%s has no memory left: which cluster uses it cannot be noted", self._link.address)
        if theirs is None or theirs == self._claim:
            return
        cluster, _, place = theirs.decode(errors="replace").partition(" ")
        where = f"{self._link.address}: other nodes in namespace {self._namespace!r} have another"
        if cluster != self._claim.decode().partition(" ")[0]:
            raise ConfigurationError(
                f"{where} database. The nodes of one cluster share one (database_url); two clusters need a "
                f"broker_namespace of their own each. If the others are gone, this is over within {CLAIM_LASTS} s"
            )
        raise ConfigurationError(
            f"{where} list of servers: there it is number {place} in broker_url, here {self._place}. All nodes need "
            f"the same servers in the same order; to change them, stop all nodes, and start them after {CLAIM_LASTS} s"
        )

    def renew_claim(self) -> None:
        if self._link.is_up and (self._claiming is None or self._claiming.done()):
            self._claiming = asyncio.get_running_loop().create_task(self._renew_claim())

    async def _renew_claim(self) -> None:
        try:
            await self._claim_server(self._link.call)
        except RedisAway:
            return
        except (ConfigurationError, ReplyError) as error:
            self._link.cut(str(error).removeprefix(f"{self._link.address}: "))

    def _name_of(self, channel: str) -> bytes:
        return self._prefix + channel.encode()
