"""Fan-out: sends one publication to everybody in a channel, with at most one system call for each connection.

The fan-out knows channels, connections and bytes. It knows no rooms, no SQL and no HTTP. Its parts have modules of
their own: `connections`, `channels` with their opening and closing, `membership` in a channel, `flushing`, `hold`,
`deadlines`, `heartbeat`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from hubbub.delivery.channel import Channel, Write
from hubbub.delivery.channels import ChannelHook, Channels
from hubbub.delivery.connection import Connection
from hubbub.delivery.connections import Connections
from hubbub.delivery.deadlines import Deadlines
from hubbub.delivery.flushing import Flushing
from hubbub.delivery.heartbeat import Heartbeat
from hubbub.delivery.hold import Hold
from hubbub.delivery.membership import Membership, empty, fill, hold, join, join_held, leave, membership
from hubbub.delivery.turns import Turns
from hubbub.errors import NotStarted
from hubbub.limits import Allowance
from hubbub.wire.codes import CloseCode
from hubbub.wire.publication import Publication

HELD = 5_000
"""Publications kept for one connection that is catching up."""

NO_LIMIT = Allowance(1e9, 1e9)


class Fanout:
    """All connections of this process, and the channels that they follow.

    `open_channel` and `close_channel` connect the channels to a broker (`Channels`); `stall`, `patience` and
    `close_timeout` are in seconds (`Deadlines`). Call `start` in the running loop, `heartbeat.beat` `BEATS` times per
    heartbeat, and `deadlines.check` about once a second.

    `work` is how much work a connection may make, in units (`Connection.charge`); `turns` is the queue in which large
    work waits. `for_node` gets what is published in a channel that no connection subscribes to.
    """

    def __init__(
        self,
        *,
        open_channel: ChannelHook,
        close_channel: ChannelHook,
        ping: Callable[[], Publication],
        stall: float = 10.0,
        patience: float = 60.0,
        close_timeout: float = 5.0,
        work: Allowance = NO_LIMIT,
        for_node: Callable[[Publication], None] = lambda _: None,
    ) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self.work = work
        self._for_node = for_node
        self.turns = Turns(self._call_soon)
        self.connections = Connections()
        self.heartbeat = Heartbeat(ping)
        self.deadlines = Deadlines(
            self.connections,
            clock=self._now,
            stall=stall,
            patience=patience,
            close_timeout=close_timeout,
        )
        self.channels = Channels(open_channel=open_channel, close_channel=close_channel)
        self._channels = self.channels.by_name
        self.flushing = Flushing(self._channels, self.deadlines)
        self._schedule_flush = self.flushing.schedule
        self._flush = self.flushing.flush

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.flushing.start(loop)
        self.deadlines.start()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise NotStarted
        return self._loop

    def _call_soon(self, work: Callable[[], None]) -> None:
        self.loop.call_soon(work)

    def _now(self) -> float:
        return self.loop.time()

    # Connections come and go.

    def connect(self, connection: Connection) -> None:
        """Begin to look after a connection: heartbeats, congestion, closing."""
        self.connections.add(connection)
        self.heartbeat.add(connection)

    def release(self, connection: Connection) -> None:
        """Unsubscribe a connection from everything. What was delivered to it before is written first.

        `connection.channels` keeps its channels, for those who clean up later.
        """
        for name in connection.channels:
            self._leave(connection, name)

    def closing(self, connection: Connection) -> None:
        """It has begun the closing handshake, and has a deadline now."""
        self.deadlines.closing(connection)

    def disconnected(self, connection: Connection) -> None:
        """The connection is gone. Nothing of it stays here."""
        self.heartbeat.remove(connection)
        self.deadlines.forget(connection)
        self.connections.remove(connection)

    def notice_freeze(self) -> None:
        """If this process did not run for a while, extend the clients' deadlines and rates. Call it before a client is
        blamed."""
        self.deadlines.notice_freeze()

    # Who is in which channel.

    def subscribers(self, channel: str) -> list[Connection]:
        """The connections of this process that are subscribed to a channel."""
        found = self._channels.get(channel)
        return list(found.subscribers()) if found is not None else []

    def count(self, channel: str) -> int:
        """How many connections of this process are subscribed to a channel."""
        found = self._channels.get(channel)
        return found.count if found is not None else 0

    async def subscribe(self, connection: Connection, name: str) -> None:
        """Deliver to `connection` what is published in a channel from now on.

        Returns when the broker has confirmed the subscription, so that nothing published later is missed. Raises
        what `open_channel` raised; then nothing was subscribed.
        """
        await self._subscribe(connection, name, self._join)

    async def subscribe_held(self, connection: Connection, name: str) -> Hold:
        """The same as `subscribe`, with a hold on the connection: it is live after the hold's block."""
        await self._subscribe(connection, name, join_held)
        return self._hold(connection, name)

    async def _subscribe(
        self, connection: Connection, name: str, join_as: Callable[[Channel, Connection], None]
    ) -> None:
        channel = self.channels.joining(name)
        try:
            await self.channels.opened(channel)
            if connection.is_open:
                self._flush(channel)
                join_as(channel, connection)
                connection.channels[name] = None
        finally:
            self.channels.joined(channel)

    def _join(self, channel: Channel, connection: Connection) -> None:
        join(channel, connection)
        if self.deadlines.is_congested(connection):
            fill(channel, connection, None)

    def unsubscribe(self, connection: Connection, name: str) -> None:
        """The opposite of `subscribe`. What the channel delivered before is written first."""
        if name in connection.channels:
            self._leave(connection, name)
            del connection.channels[name]

    def _leave(self, connection: Connection, name: str) -> None:
        channel = self._channels.get(name)
        if channel is not None:
            self._flush(channel)
            leave(channel, connection)
            self.channels.forget_if_empty(channel)

    def rewire(self, connection: Connection) -> None:
        """Its transport's `write` is another function now."""
        for name in connection.channels:
            channel = self._channels.get(name)
            if channel is not None:
                self._flush(channel)
                if membership(channel, connection) is Membership.LIVE:
                    channel.writers[connection.format][connection] = connection.transport.write

    # What is published.

    def deliver(self, publication: Publication) -> None:
        """Give a publication to everybody in its channel, in this turn of the loop.

        It is encoded here, once for each format in use. If it cannot be encoded, this raises, and nobody gets it.
        """
        channel = self._channels.get(publication.channel)
        if channel is None:
            self._for_node(publication)
            return
        pieces = [(form, form.piece(publication)) for form in channel.writers]
        for form, piece in pieces:
            pending = channel.pending.get(form)
            if pending is None:
                channel.pending[form] = [piece]
            else:
                pending.append(piece)
        if channel.held:
            self._keep(channel, publication)
        if not publication.ephemeral:
            if channel.position is None:
                channel.position = publication.since
            channel.recoverable = True
            channel.delivered = publication.position
        self._schedule_flush(channel)

    def _keep(self, channel: Channel, publication: Publication) -> None:
        for connection, held in list(channel.held.items()):
            held.kept.append(publication)
            if len(held.kept) > HELD:
                connection.close(CloseCode.TRY_AGAIN_LATER, "too much happened while it was catching up")

    def answer_along(self, connection: Connection, name: str, piece: Any) -> bool:
        """Send something to one connection in the same write as what the channel is about to deliver to it. In a room
        of five, a separate ack would be one of the six writes of a message.

        Returns False, and does nothing, if the channel has nothing for the connection in this turn.
        """
        channel = self._channels.get(name)
        if channel is None or channel.flush is not None or connection.format not in channel.pending:
            return False
        writers = channel.writers.get(connection.format, {})
        if connection not in writers:
            return False
        answers = channel.answers.get(connection)
        if answers is None:
            channel.answers[connection] = [piece]
            writers[connection] = partial(self._write_along, channel, connection, writers[connection])
        else:
            answers.append(piece)
        return True

    def _write_along(self, channel: Channel, connection: Connection, write: Write, chunk: Any) -> None:
        answers = channel.answers.pop(connection, [])
        for one in connection.format.along(answers, chunk):
            write(one)
        writers = channel.writers.get(connection.format, {})
        if connection in writers:
            writers[connection] = write

    # Congestion.

    @property
    def is_writing(self) -> bool:
        """Whether a flush iterates over subscribers at this moment."""
        return self.flushing.is_writing

    def congested(self, connection: Connection) -> None:
        """The connection's buffer is full: leave it out from now on."""
        self.flushing.congested(connection)

    def relieved(self, connection: Connection) -> dict[str, int | None]:
        """The connection's buffer has emptied: serve it again. Where it has a gap it is held, and `recovering` must
        follow.

        Returns the channels with gaps, each with the position before the gap.
        """
        self.deadlines.relieved(connection)
        missed: dict[str, int | None] = {}
        for name in connection.channels:
            channel = self._channels[name]
            self._flush(channel)
            gap = empty(channel, connection)
            if gap is not None:
                missed[name] = gap.position
            elif membership(channel, connection) is Membership.LIVE and self.deadlines.is_congested(connection):
                # The flush has filled its buffer again.
                fill(channel, connection, None)
        return missed

    # Catching up. `hold.py` says what a hold promises.

    def holding(self, connection: Connection, name: str) -> Hold:
        """Hold this connection in a channel, while a page is read for it from the store. What was delivered before is
        written first. A connection that is closing is not held."""
        if not connection.is_open:
            return Hold(connection, None, flushing=self.flushing, deadlines=self.deadlines)
        channel = self._channels[name]
        self._flush(channel)
        hold(channel, connection)
        return self._hold(connection, name)

    def recovering(self, connection: Connection, name: str) -> Hold:
        """The hold that `relieved` has put on a connection, for reading what it has missed."""
        return self._hold(connection, name, recovers=True)

    def _hold(self, connection: Connection, name: str, *, recovers: bool = False) -> Hold:
        channel = self._channels.get(name)
        return Hold(connection, channel, flushing=self.flushing, deadlines=self.deadlines, recovers=recovers)
