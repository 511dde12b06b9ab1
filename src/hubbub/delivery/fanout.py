"""Fan-out: one publication to everybody in a channel, with as few system calls as there are people.

The fan-out knows channels, connections and bytes. It knows no rooms, no SQL and no HTTP.

All that one turn of the event loop delivers to a channel is joined once and written once to each subscriber: a
delivery then costs a fraction of a system call, and nobody waits for a timer. Nothing is allocated for a subscriber
while it is served, and a subscriber that takes less than it is sent is left out rather than queued for.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from hubbub.delivery.channel import Channel, Gap, Hold, Write
from hubbub.delivery.connection import Connection, State
from hubbub.delivery.formats import Format
from hubbub.delivery.turns import Turns
from hubbub.errors import NotStarted
from hubbub.limits import Allowance
from hubbub.wire.codes import CloseCode
from hubbub.wire.keys import fold
from hubbub.wire.publication import Publication

log = logging.getLogger("hubbub.delivery")

SUBSCRIBERS_PER_TURN = 1000
"""How many are written to before the loop gets its turn, so that one huge room does not hold up the others."""

FEW = 50
"""Up to so many subscribers are written to at once, whatever else the turn has served."""

BEATS = 25
"""Into how many groups a heartbeat is divided, so that its pings are spread evenly over it."""

SILENT_BEATS = 2

FROZEN = 2.0
"""Seconds between two looks at the deadlines above which this process did not run: no client is to blame for those."""

HELD = 5_000
"""Publications kept for one connection that is catching up."""

NO_LIMIT = Allowance(1e9, 1e9)

ChannelHook = Callable[[str], Awaitable[None]]


@dataclass(slots=True)
class _Stall:
    since: float
    progress: float
    backlog: int


class Fanout:
    """All connections of this process, and the channels that they follow.

    `open_channel` is awaited before a channel's first subscriber counts as subscribed, `close_channel` after its last
    one has left: the node connects them to its broker. Call `start` in the running loop, and `beat` `BEATS` times per
    heartbeat; everything else follows.

    `work` is how much work a connection may make, in units (`Connection.charge`); `turns` is where what is large waits.

    Deadlines are in seconds: a congested connection has `stall` to make any progress and `patience` in all; a closing
    one has `close_timeout` for its side of the closing handshake.
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
    ) -> None:
        self._open_channel = open_channel
        self._close_channel = close_channel
        self._ping = ping
        self._stall = stall
        self._patience = patience
        self._close_timeout = close_timeout
        self.work = work
        self.turns = Turns(self._call_soon)
        self._looked_at = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self.connections: dict[str, Connection] = {}
        self._users: dict[str, dict[Connection, None]] = {}
        self._channels: dict[str, Channel] = {}
        self._dirty: dict[Channel, None] = {}
        self._flush_scheduled = False
        self._writing = False
        self._filled: list[Connection] = []
        self._stalled: dict[Connection, _Stall] = {}
        self._closing: dict[Connection, float] = {}
        self._beats: list[dict[Connection, None]] = [{} for _ in range(BEATS)]
        self._next_beat = 0
        self._emptied = asyncio.Event()
        self._shutting: dict[str, asyncio.Future[None]] = {}

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._looked_at = loop.time()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise NotStarted
        return self._loop

    def _call_soon(self, work: Callable[[], None]) -> None:
        self.loop.call_soon(work)

    # Connections come and go.

    def connect(self, connection: Connection) -> None:
        """Begin to look after a connection: heartbeats, congestion, closing."""
        self.connections[connection.id] = connection
        self._users.setdefault(fold(connection.user.key), {})[connection] = None
        connection.beat = (self._next_beat - 1) % BEATS
        self._beats[connection.beat][connection] = None

    def release(self, connection: Connection) -> None:
        """Unsubscribe from everything. What was delivered to it before is written first.

        `connection.channels` goes on to tell what it was subscribed to, for those who clean up after it.
        """
        for name in connection.channels:
            self._remove(connection, name)

    def closing(self, connection: Connection) -> None:
        """It has begun the closing handshake, and has a deadline now."""
        self._stalled.pop(connection, None)
        self._closing[connection] = self.loop.time() + self._close_timeout

    def disconnected(self, connection: Connection) -> None:
        """It is gone. Nothing of it stays here."""
        self.connections.pop(connection.id, None)
        key = fold(connection.user.key)
        theirs = self._users.get(key)
        if theirs is not None:
            theirs.pop(connection, None)
            if not theirs:
                del self._users[key]
        self._beats[connection.beat].pop(connection, None)
        self._stalled.pop(connection, None)
        self._closing.pop(connection, None)
        if not self.connections:
            self._emptied.set()

    async def wait_until_empty(self, timeout: float) -> None:
        """Returns when the last connection is gone, or after `timeout` seconds."""
        if self.connections:
            self._emptied.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._emptied.wait(), timeout)

    # Channels.

    def subscribers(self, channel: str) -> list[Connection]:
        """The connections of this process that are subscribed to a channel."""
        found = self._channels.get(channel)
        return list(found.subscribers()) if found is not None else []

    def count(self, channel: str) -> int:
        """How many connections of this process are subscribed to a channel."""
        found = self._channels.get(channel)
        if found is None:
            return 0
        return sum(map(len, found.writers.values())) + len(found.congested) + len(found.held)

    def of_user(self, key: str) -> list[Connection]:
        """A user's connections to this process, the oldest first."""
        return list(self._users.get(fold(key), ()))

    async def subscribe(self, connection: Connection, name: str, *, hold: bool = False) -> None:
        """Deliver to `connection` what is published in a channel from now on; with `hold`, from `let_go` on.

        Returns when the broker has confirmed the subscription, so that nothing published later is missed. Raises
        what `open_channel` raised; then nothing was subscribed.
        """
        channel = self._channels.get(name)
        if channel is None:
            channel = self._channels[name] = Channel(name)
        channel.joining += 1
        try:
            if channel.opened is None:
                channel.opened = asyncio.ensure_future(self._open(name))
            opened = channel.opened
            if not opened.done():
                # Not awaited itself: others wait for it too, and must not be cancelled with this one.
                await asyncio.wait({opened})
            if opened.exception() is not None and channel.opened is opened:
                channel.opened = None
            opened.result()
            if connection.is_open:
                self._flush(channel)
                connection.channels[name] = None
                if hold:
                    channel.held[connection] = Hold()
                else:
                    self._add(channel, connection)
        finally:
            channel.joining -= 1
            self._forget_if_empty(channel)

    def unsubscribe(self, connection: Connection, name: str) -> None:
        """The opposite of `subscribe`. What the channel delivered before is written first."""
        if name in connection.channels:
            self._remove(connection, name)
            del connection.channels[name]

    def _remove(self, connection: Connection, name: str) -> None:
        channel = self._channels.get(name)
        if channel is None:
            return
        self._flush(channel)
        self._take_out(channel, connection)
        self._forget_if_empty(channel)

    def _take_out(self, channel: Channel, connection: Connection) -> None:
        channel.congested.pop(connection, None)
        channel.held.pop(connection, None)
        writers = channel.writers.get(connection.format)
        if writers is not None:
            writers.pop(connection, None)
            if not writers:
                del channel.writers[connection.format]

    def _add(self, channel: Channel, connection: Connection) -> None:
        if connection in self._stalled:
            channel.congested.setdefault(connection, None)
        else:
            channel.writers.setdefault(connection.format, {})[connection] = connection.transport.write

    def rewire(self, connection: Connection) -> None:
        """Its transport's `write` is another function now."""
        for name in connection.channels:
            channel = self._channels.get(name)
            if channel is None:
                continue
            self._flush(channel)
            writers = channel.writers.get(connection.format, {})
            if connection in writers:
                writers[connection] = connection.transport.write

    def _forget_if_empty(self, channel: Channel) -> None:
        if channel.is_empty and self._channels.get(channel.name) is channel:
            del self._channels[channel.name]
            self._dirty.pop(channel, None)
            if channel.opened is not None:
                shutting = asyncio.ensure_future(self._shut(channel.name, channel.opened))
                self._shutting[channel.name] = shutting
                shutting.add_done_callback(partial(self._has_shut, channel.name))

    # A channel's hooks never overlap: what overtook the other would leave the broker with the wrong idea.

    async def _open(self, name: str) -> None:
        shutting = self._shutting.get(name)
        if shutting is not None:
            await asyncio.wait({shutting})
        await self._open_channel(name)

    async def _shut(self, name: str, opened: asyncio.Future[None]) -> None:
        await asyncio.wait({opened})
        if opened.exception() is None:
            await self._close_channel(name)

    def _has_shut(self, name: str, shutting: asyncio.Future[None]) -> None:
        if self._shutting.get(name) is shutting:
            del self._shutting[name]
        if not shutting.cancelled() and shutting.exception() is not None:
            log.error("channel %r could not be closed", name, exc_info=shutting.exception())

    # Fan-out.

    def deliver(self, publication: Publication) -> None:
        """Give a publication to everybody in its channel, in this turn of the loop.

        It is encoded here, once for each format in use; what cannot be encoded raises here and reaches nobody.
        """
        channel = self._channels.get(publication.channel)
        if channel is None:
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
        self._dirty[channel] = None
        self._schedule_flush()

    def _keep(self, channel: Channel, publication: Publication) -> None:
        for connection, hold in list(channel.held.items()):
            hold.kept.append(publication)
            if len(hold.kept) > HELD:
                connection.close(CloseCode.TRY_AGAIN_LATER, "too much happened while it was catching up")

    def answer_along(self, connection: Connection, name: str, piece: Any) -> bool:
        """Send something to one connection in the same write as what the channel is about to deliver to it: of a
        message's six writes in a room of five, its ack would be one.

        False, and nothing done, if the channel has nothing for it in this turn.
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

    def _schedule_flush(self) -> None:
        if not self._flush_scheduled:
            self._flush_scheduled = True
            self.loop.call_soon(self._flush_turn)

    def _flush_turn(self) -> None:
        """Write what was delivered to as many as one turn may serve; the rest has its turn after the others."""
        self._flush_scheduled = False
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
            self._schedule_flush()

    def _flush(self, channel: Channel) -> None:
        """Write out all that is pending in a channel, now."""
        if channel in self._dirty:
            del self._dirty[channel]
            for _ in channel.flush or self._write_out(channel):
                pass
            channel.flush = None

    def _write_at_once(self, channel: Channel) -> int:
        """`_write_out` for a small channel in which all is as usual: to be ready to go on in the next turn would cost a
        third of the time there. Gives how many were served; 0, and nothing done, where it takes more."""
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
        """Write what is pending to everybody, yielding how many were served so that the loop can have a turn."""
        while channel.pending or channel.recoverable:
            pending, channel.pending = channel.pending, {}
            gap = Gap(channel.position) if channel.recoverable else None
            reached, channel.recoverable = channel.delivered, False
            if gap is not None:
                for connection, earlier in channel.congested.items():
                    channel.congested[connection] = earlier or gap
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
        # People come and go between two turns: iterate over those who were here when the chunk was made.
        everybody = list(writers.values())
        for start in range(0, len(everybody), SUBSCRIBERS_PER_TURN):
            self._write_to(writers, everybody[start : start + SUBSCRIBERS_PER_TURN], chunk)
            yield min(SUBSCRIBERS_PER_TURN, len(everybody) - start)

    def _write_to(self, writers: dict[Connection, Write], writes: Iterable[Write], chunk: Any) -> None:
        broken: list[Connection] = []
        rest = iter(writes)
        self._writing = True
        while True:
            try:
                for write in rest:
                    write(chunk)
                break
            except Exception:
                # A transport that raises is broken, and its connection with it; the others get what is theirs.
                log.exception("a connection could not be written to")
                broken += (connection for connection, theirs in writers.items() if theirs is write)
        self._writing = False
        for connection in broken:
            connection.abort()

    # Congestion.

    @property
    def is_writing(self) -> bool:
        """Whether a flush iterates over subscribers at this moment."""
        return self._writing

    def congested(self, connection: Connection) -> None:
        """Its buffer is full: leave it out from now on, but never in the middle of a flush's iteration."""
        self._filled.append(connection)
        if not self._writing:
            self._set_aside()

    def _set_aside(self) -> None:
        filled, self._filled = self._filled, []
        now = self.loop.time()
        for connection in filled:
            if connection.state is not State.CONGESTED:
                continue
            stall = self._stalled[connection] = _Stall(now, now, connection.transport.backlog)
            log.debug("%s of %s is congested: %d bytes not read", connection.id, connection.user.key, stall.backlog)
            for name in connection.channels:
                channel = self._channels[name]
                writers = channel.writers.get(connection.format)
                if writers is not None and writers.pop(connection, None) is not None:
                    channel.congested[connection] = channel.unwritten.get(connection.format)
                    for piece in channel.answers.pop(connection, ()):
                        connection.transport.write(connection.format.chunk(piece))

    def relieved(self, connection: Connection) -> dict[str, int | None]:
        """Its buffer has drained: serve it again, but where it has gaps, held until `let_go`.

        Returns those channels, each with the position before the gap.
        """
        self._stalled.pop(connection, None)
        missed: dict[str, int | None] = {}
        for name in connection.channels:
            channel = self._channels[name]
            self._flush(channel)
            hold = channel.held.get(connection)
            if hold is not None:
                if hold.gap is not None:
                    missed[name] = hold.gap.position
                    hold.gap = None
                    hold.count += 1
                continue
            gap = channel.congested.pop(connection, None)
            if gap is None:
                self._add(channel, connection)
            else:
                missed[name] = gap.position
                channel.held[connection] = Hold()
        return missed

    # Catching up.

    def hold(self, connection: Connection, name: str) -> None:
        """Keep what is published in a channel from this connection until `let_go`, so that what is read for it from
        the store meanwhile arrives first. Each `hold` takes a `let_go`; one that is closing is not held any more."""
        if not connection.is_open:
            return
        channel = self._channels[name]
        self._flush(channel)
        hold = channel.held.get(connection)
        if hold is not None:
            hold.count += 1
            return
        gap = channel.congested.get(connection)
        self._take_out(channel, connection)
        channel.held[connection] = Hold(gap=gap)

    def let_go(self, connection: Connection, name: str, *, after: int | None = None) -> None:
        """Deliver what was kept, without what the connection was given up to the position `after`, and go on live."""
        channel = self._channels.get(name)
        hold = channel.held.get(connection) if channel is not None else None
        if channel is None or hold is None:
            return
        self._flush(channel)
        if after is not None:
            hold.gap = None
            # Of several answers the one that was read first may arrive last, and begin the client anew.
            hold.after = after if hold.after is None else min(hold.after, after)
        hold.count -= 1
        if hold.count:
            return
        del channel.held[connection]
        given = hold.after
        if given is not None:
            hold.kept = [
                publication for publication in hold.kept if publication.position is None or publication.position > given
            ]
        self._add(channel, connection)
        if connection in self._stalled:
            durable = [publication.since for publication in hold.kept if not publication.ephemeral]
            if hold.gap is not None:
                channel.congested[connection] = hold.gap
            elif durable:
                channel.congested[connection] = Gap(durable[0])
            return
        form = connection.format
        for chunk in form.chunks([form.piece(publication) for publication in hold.kept]):
            connection.transport.write(chunk)

    # Time.

    def notice_freeze(self) -> None:
        """Where this process did not run for a while, make up for it: deadlines end later by that much, and what came
        meanwhile was not sent as fast as it is read now. Call it about once a second, and before a client is blamed."""
        now = self.loop.time()
        frozen, self._looked_at = now - self._looked_at, now
        if frozen < FROZEN:
            return
        for connection in self.connections.values():
            connection.was_not_read(frozen)
        for stall in self._stalled.values():
            stall.since += frozen
            stall.progress += frozen
        for connection in self._closing:
            self._closing[connection] += frozen

    def check_deadlines(self) -> None:
        """Drop those who have made no progress for too long. Call it about once a second."""
        now = self.loop.time()
        for connection, stall in list(self._stalled.items()):
            backlog = connection.transport.backlog
            if backlog < stall.backlog:
                stall.progress = now
            stall.backlog = backlog
            if now - stall.progress > self._stall or now - stall.since > self._patience:
                log.info("dropped %s of %s: %d bytes not read", connection.id, connection.user.key, backlog)
                connection.abort()
        for connection, deadline in list(self._closing.items()):
            if now > deadline:
                log.debug("dropped %s of %s: no answer to the close frame", connection.id, connection.user.key)
                connection.abort()

    def beat(self) -> None:
        """Ping the next group of connections, and close those that were silent for two heartbeats."""
        group = self._beats[self._next_beat]
        self._next_beat = (self._next_beat + 1) % BEATS
        if not group:
            return
        ping = self._ping()
        chunks: dict[Format, Any] = {}
        for connection in list(group):
            if connection.state is not State.OPEN:
                continue
            if (
                connection.silent_beats >= SILENT_BEATS
                and connection.transport.hears_pongs
                and not connection.is_paused
            ):
                connection.close(CloseCode.NOT_ALIVE, "no frame for two heartbeats")
                continue
            # What is not read can't be heard: as long as the server takes its time, silence proves nothing.
            connection.silent_beats = 0 if connection.is_paused else connection.silent_beats + 1
            form = connection.format
            if form not in chunks:
                chunks[form] = form.heartbeat(ping)
            connection.transport.write(chunks[form])
