"""Flushing: writes what a turn of the event loop has delivered to channels, to their live subscribers.

Everything that one turn delivers to a channel is joined once, and written once to each subscriber. So a delivery costs
a fraction of a system call, and nobody waits for a timer. Nothing is allocated for each subscriber. A subscriber that
takes less than it is sent is left out, and nothing is queued for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator
from typing import Any

from hubbub.delivery.channel import Channel, Gap, Write
from hubbub.delivery.connection import Connection, State
from hubbub.delivery.deadlines import Deadlines
from hubbub.delivery.membership import fill, miss
from hubbub.errors import NotStarted

log = logging.getLogger("hubbub.delivery")

SUBSCRIBERS_PER_TURN = 1000
"""How many subscribers are written to before the loop gets its turn, so that one huge room does not delay the
others."""

FEW = 50
"""A channel with at most this many subscribers is written to at once, however many others the turn has served."""


class Flushing:
    """The channels that wait for their flush, and the connections whose buffers it fills. Call `start` first.

    `channels` are all channels by name. `deadlines` are told which connections become congested.
    """

    def __init__(self, channels: dict[str, Channel], deadlines: Deadlines) -> None:
        self._channels = channels
        self._deadlines = deadlines
        self._loop: asyncio.AbstractEventLoop | None = None
        self._dirty: dict[Channel, None] = {}
        self._scheduled = False
        self._filled: list[Connection] = []
        self.is_writing = False
        """Whether a flush iterates over subscribers at this moment."""

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    @property
    def is_empty(self) -> bool:
        return not self._dirty and not self._filled

    def schedule(self, channel: Channel) -> None:
        """Write what is pending in a channel at the end of this turn."""
        self._dirty[channel] = None
        if not self._scheduled:
            self._schedule_turn()

    def _schedule_turn(self) -> None:
        if self._loop is None:
            raise NotStarted
        self._scheduled = True
        self._loop.call_soon(self.flush_turn)

    def flush_turn(self) -> None:
        """Write what was delivered to as many subscribers as one turn may serve. The rest is served after the other
        channels."""
        self._scheduled = False
        served = 0
        while self._dirty and served < SUBSCRIBERS_PER_TURN:
            channel = next(iter(self._dirty))
            del self._dirty[channel]
            if channel.flush is None:
                if number := self._write_at_once(channel):
                    served += number
                    continue
                channel.flush = self._write_out(channel)
            for count in channel.flush:
                served += count
                if served >= SUBSCRIBERS_PER_TURN:
                    self._dirty[channel] = None
                    break
            else:
                channel.flush = None
        if self._dirty:
            self._schedule_turn()

    def flush(self, channel: Channel) -> None:
        """Write out all that is pending in a channel, now."""
        if channel in self._dirty:
            del self._dirty[channel]
            for _ in channel.flush or self._write_out(channel):
                pass
            channel.flush = None

    def _write_at_once(self, channel: Channel) -> int:
        """`_write_out` for the usual case of a small channel, in two thirds of the time, since it cannot continue in
        the next turn. Returns how many were served. Returns 0, and does nothing, in other cases."""
        if channel.congested or len(channel.pending) != 1:
            return 0
        ((form, pieces),) = channel.pending.items()
        writers = channel.writers.get(form)
        if not writers or len(writers) > FEW:
            return 0
        chunks = form.chunks(pieces)
        if len(chunks) != 1:
            return 0
        number = len(writers)
        channel.pending = {}
        self._write_to(writers, writers.values(), chunks[0])
        if self._filled:
            self._set_aside()
        if channel.recoverable:
            channel.recoverable, channel.position = False, channel.delivered
        return number

    def _write_out(self, channel: Channel) -> Iterator[int]:
        """Write what is pending to everybody. Yields how many were served, so that the loop can have a turn."""
        while channel.pending or channel.recoverable:
            pending, channel.pending = channel.pending, {}
            gap = Gap(channel.position) if channel.recoverable else None
            reached, channel.recoverable = channel.delivered, False
            if gap is not None and channel.congested:
                miss(channel, gap)
            channel.unwritten = dict.fromkeys(pending, gap)
            for form, pieces in pending.items():
                writers = channel.writers.get(form)
                if writers is None:
                    continue
                chunks = form.chunks(pieces)
                for index, chunk in enumerate(chunks):
                    if index + 1 == len(chunks):
                        del channel.unwritten[form]
                    if len(writers) <= SUBSCRIBERS_PER_TURN:
                        self._write_to(writers, writers.values(), chunk)
                        yield len(writers)
                    else:
                        yield from self._write_to_many(writers, chunk)
                    if self._filled:
                        self._set_aside()
            channel.unwritten = {}
            channel.position = reached

    def _write_to_many(self, writers: dict[Connection, Write], chunk: Any) -> Iterator[int]:
        # Subscribers come and go between two turns: iterate over those that were there when the chunk was made.
        everybody = list(writers.values())
        for start in range(0, len(everybody), SUBSCRIBERS_PER_TURN):
            self._write_to(writers, everybody[start : start + SUBSCRIBERS_PER_TURN], chunk)
            yield min(SUBSCRIBERS_PER_TURN, len(everybody) - start)

    def _write_to(self, writers: dict[Connection, Write], writes: Iterable[Write], chunk: Any) -> None:
        broken: list[Connection] = []
        rest = iter(writes)
        self.is_writing = True
        while True:
            try:
                for write in rest:
                    write(chunk)
                break
            except Exception:
                # A transport that raises is broken, and so is its connection. The others still get their data.
                log.exception("a connection could not be written to")
                broken += (connection for connection, theirs in writers.items() if theirs is write)
        self.is_writing = False
        for connection in broken:
            connection.abort()

    def congested(self, connection: Connection) -> None:
        """The connection's buffer is full: leave it out from now on, or, if a flush iterates now, after that."""
        self._filled.append(connection)
        if not self.is_writing:
            self._set_aside()

    def _set_aside(self) -> None:
        filled, self._filled = self._filled, []
        for connection in filled:
            if connection.state is not State.CONGESTED:
                continue
            self._deadlines.congested(connection)
            for name in connection.channels:
                channel = self._channels[name]
                if fill(channel, connection, channel.unwritten.get(connection.format)):
                    for piece in channel.answers.pop(connection, ()):
                        connection.transport.write(connection.format.chunk(piece))
