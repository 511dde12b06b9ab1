"""One client's connection, over any transport: its state, its subscriptions, and when it is read from.

A connection knows channels and bytes. Its receiver knows what the bytes mean, and its transport how they travel.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final, Protocol

from hubbub.delivery.formats import Format
from hubbub.delivery.turns import Turns
from hubbub.limits import Allowance, Debt
from hubbub.wire.base import Event
from hubbub.wire.codes import CloseCode
from hubbub.wire.frames import Received
from hubbub.wire.identity import User
from hubbub.wire.publication import Publication


class State(StrEnum):
    OPEN = "open"
    CONGESTED = "congested"
    """It takes less than it is sent. It gets nothing more and is not read from until it has taken what it was sent."""
    CLOSING = "closing"
    """A close frame is on its way; nothing else is sent or read."""
    CLOSED = "closed"


class Signal(StrEnum):
    FILL = "fill"
    """The transport's buffer went over its high-water mark."""
    EMPTY = "empty"
    """It went below the low-water mark again."""
    CLOSE = "close"
    LOSE = "lose"
    """The socket is gone."""


TRANSITIONS: dict[tuple[State, Signal], State] = {
    (State.OPEN, Signal.FILL): State.CONGESTED,
    (State.OPEN, Signal.CLOSE): State.CLOSING,
    (State.OPEN, Signal.LOSE): State.CLOSED,
    (State.CONGESTED, Signal.EMPTY): State.OPEN,
    (State.CONGESTED, Signal.CLOSE): State.CLOSING,
    (State.CONGESTED, Signal.LOSE): State.CLOSED,
    (State.CLOSING, Signal.LOSE): State.CLOSED,
}


class Pause:
    """Why a connection is not read from. Several reasons can hold at once. They are plain integers, since they are
    tested for each message."""

    CONGESTION: Final = 1
    UNANSWERED: Final = 2
    """It has the most unanswered commands that it may have."""
    ORDER: Final = 4
    """A command runs, and later ones must wait for it."""
    HANDSHAKE: Final = 8
    """The ASGI application has not returned yet."""
    RATE: Final = 16
    """It sends faster than it may."""
    WORK: Final = 32
    """It has made more work than it may."""
    OURS: Final = UNANSWERED | ORDER | HANDSHAKE
    """The pauses that are the server's fault, not the client's."""


UNREAD_FROM = 1.0
"""If the server did not read for at least so many seconds, the client is credited for them, up to `UNREAD_MOST`."""
UNREAD_MOST = 60.0


class Transport(Protocol):
    """What carries a connection's bytes: a socket, or an ASGI server's messages."""

    hears_pongs: bool
    """Whether pongs reach `connection.received`. If they do not, the ASGI server has to notice dead peers."""

    def write(self, chunk: Any) -> None:
        """Send what the connection's format made. Never blocks. Calls `connection.filled` if the buffer is over its
        high-water mark."""

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake; what was written before still goes out."""

    def abort(self) -> None:
        """Drop the connection and what was not sent yet."""

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    @property
    def backlog(self) -> int:
        """Bytes written and not yet taken by the kernel or the ASGI server."""


class _Gone:
    """The transport of a connection that has ended."""

    hears_pongs = False
    backlog = 0

    def write(self, chunk: Any) -> None: ...

    def close(self, code: int, reason: str) -> None: ...

    def abort(self) -> None: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


_GONE = _Gone()


class Receiver(Protocol):
    """What a connection's messages mean. None of its methods may block or raise."""

    def receive(self, opcode: int, payload: bytes) -> None:
        """A whole TEXT or BINARY message came, or a PING (which was answered already)."""

    def relieved(self, missed: dict[str, int | None]) -> None:
        """The connection is no longer congested. It missed events in these channels, after these positions."""

    def closed(self, code: int, reason: str) -> None:
        """The connection has ended. `code` is 1006 if no close frame was seen (RFC 6455, section 7.1.5)."""


class Delivery(Protocol):
    """The part of the fan-out that a connection, its link and its transport need."""

    work: Allowance
    """How much work a connection may make, in units."""
    turns: Turns
    """The queue in which large work waits."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop: ...

    @property
    def is_writing(self) -> bool:
        """Whether it iterates over subscribers now, so that no membership may change."""

    def answer_along(self, connection: Connection, name: str, piece: Any) -> bool:
        """Send something in the same write as what a channel is about to deliver. False if the channel has nothing to
        deliver."""

    def congested(self, connection: Connection) -> None:
        """The connection's buffer is full: nothing more is delivered to it."""

    def relieved(self, connection: Connection) -> dict[str, int | None]:
        """The connection's buffer has emptied. Returns the channels in which it missed something, with the positions
        after which it did."""

    def rewire(self, connection: Connection) -> None:
        """Its transport's `write` is another function now."""

    def release(self, connection: Connection) -> None:
        """Deliver nothing more to it."""

    def closing(self, connection: Connection) -> None:
        """It has begun the closing handshake, and has a deadline now."""

    def disconnected(self, connection: Connection) -> None:
        """It is gone."""

    def notice_freeze(self) -> None:
        """If this process did not run for a while, extend the clients' deadlines and rates. Call it before a client is
        blamed."""


class Connection:
    """One client's link.

    `send` and `close` may be called at any time, in the event loop's thread only. `data` is the application's own.
    """

    __slots__ = (
        "__weakref__",
        "_backlog",
        "_data",
        "_debt",
        "_pauses",
        "_unread_since",
        "address",
        "beat",
        "channels",
        "close_code",
        "close_reason",
        "expires",
        "fanout",
        "format",
        "id",
        "receiver",
        "scopes",
        "session",
        "silent_beats",
        "state",
        "transport",
        "unread",
        "user",
    )

    transport: Transport
    receiver: Receiver

    def __init__(self, fanout: Delivery, *, id: str, user: User, format: Format) -> None:
        self.fanout = fanout
        self.id = id
        self.user = user
        self.address = ""
        """The network address of the client; empty if there is none."""
        self.session: str | None = None
        """The id of the log-in by which the user is here, if there is one."""
        self.expires: float | None = None
        """When the identity ends, in seconds since 1970, if it does not last."""
        self.scopes: tuple[str, ...] | None = None
        """What the user's credential allows; None: all that the user may do."""
        self.format = format
        self.state = State.OPEN
        self.channels: dict[str, None] = {}
        self.silent_beats = 0
        """Heartbeats since the last frame of any kind."""
        self.beat = 0
        self.close_code = 1006
        self.close_reason = ""
        self.unread = 0.0
        """Seconds in which the server did not read from this client. A rate limit uses up these seconds first."""
        self._pauses = 0
        self._unread_since = 0.0
        self._debt = Debt()
        self._backlog: deque[Received] | None = None
        self._data: dict[str, Any] | None = None

    def __repr__(self) -> str:
        return f"<Connection {self.id} of {self.user.key}, {self.state.value}>"

    @property
    def data(self) -> dict[str, Any]:
        """The application may keep anything about this connection here."""
        if self._data is None:
            self._data = {}
        return self._data

    @property
    def is_open(self) -> bool:
        return self.state is State.OPEN or self.state is State.CONGESTED

    @property
    def is_paused(self) -> bool:
        """Whether what it sends has to wait."""
        return self._pauses != 0

    def send(self, message: Event | Publication | str | bytes) -> bool:
        """Send to this connection alone: an event, or a text or binary frame with this content. A publication is an
        event that is sent to several.

        Returns False, and sends nothing, if it is congested or closing.
        """
        if self.state is not State.OPEN:
            return False
        if isinstance(message, Event):
            self._write(self.format.piece(Publication("", message)))
        elif isinstance(message, Publication):
            self._write(self.format.piece(message))
        else:
            self._write(self.format.raw(message))
        return True

    def reply(self, event: Event, *, along: str | None = None) -> None:
        """Send an answer, also to a congested connection: it has few unanswered commands, so this stays bounded.

        `along` names a channel that may be about to deliver something to this connection: then both are one write.
        """
        if self.is_open:
            piece = self.format.piece(Publication("", event))
            if along is None or not self.fanout.answer_along(self, along, piece):
                self._write(piece)

    def _write(self, piece: Any) -> None:
        self.transport.write(self.format.chunk(piece))

    def close(self, code: int = CloseCode.NORMAL, reason: str = "") -> None:
        """Begin the closing handshake: what was sent before still arrives, and the link ends within a deadline."""
        if self.is_open:
            self.ending(code, reason)
            self.transport.close(code, reason)

    def abort(self) -> None:
        """Drop the connection at once, with what was not sent yet."""
        if self.state is not State.CLOSED:
            self.transport.abort()

    # What the transport says.

    def received(self, messages: Sequence[Received]) -> None:
        """Messages came. Those that come while reading is paused wait, and are taken in order afterwards."""
        self.silent_beats = 0
        for index, message in enumerate(messages):
            if self._pauses or self._backlog:
                if self._backlog is None:
                    self._backlog = deque()
                self._backlog.extend(messages[index:])
                return
            if self.state is State.CLOSING or self.state is State.CLOSED:
                return
            self.receiver.receive(message.opcode, message.payload)

    def filled(self) -> None:
        """The transport's buffer is over its high-water mark. The fan-out takes note after the write that filled it."""
        if self.state is State.OPEN:
            self._change(Signal.FILL)
            self.pause(Pause.CONGESTION)
            self.fanout.congested(self)

    def emptied(self) -> None:
        """The transport's buffer is below its low-water mark again."""
        if self.state is not State.CONGESTED:
            return
        if self.fanout.is_writing:
            self.fanout.loop.call_soon(self.emptied)
            return
        self._change(Signal.EMPTY)
        missed = self.fanout.relieved(self)
        self.receiver.relieved(missed)
        self._end_congestion()

    def _end_congestion(self) -> None:
        # What was written as it emptied may have filled the buffer again.
        if self.state is not State.CONGESTED:
            self.resume(Pause.CONGESTION)

    def ending(self, code: int, reason: str) -> None:
        """One side has begun the closing handshake, and says why. From now on nothing is delivered to this
        connection."""
        if not self.is_open:
            return
        self.fanout.release(self)
        self._change(Signal.CLOSE)
        self.close_code, self.close_reason = int(code), reason
        self._backlog = None
        self._pauses = 0
        self.fanout.closing(self)
        self.transport.resume_reading()

    def lost(self, code: int, reason: str) -> None:
        """The connection is gone. `code` is what the peer said, 1006 if it said nothing."""
        if self.state is State.CLOSED:
            return
        if self.state is not State.CLOSING:
            self.close_code, self.close_reason = code, reason
        self.fanout.release(self)
        self._change(Signal.LOSE)
        self._backlog = None
        self.fanout.disconnected(self)
        receiver = self.receiver
        # They refer to this object. Without these lines, the memory would be freed only by the garbage collector, which
        # may run after thousands more have ended.
        self.transport = _GONE
        del self.receiver
        receiver.closed(self.close_code, self.close_reason)

    # When it is read from.

    def pause(self, reason: int) -> None:
        if not self._pauses and self.state is not State.CLOSED:
            self.transport.pause_reading()
        if reason & Pause.OURS and not self._pauses & Pause.OURS:
            self._unread_since = self.fanout.loop.time()
        self._pauses |= reason

    def resume(self, reason: int) -> None:
        if not self._pauses & reason:
            return
        self._pauses &= ~reason
        if reason & Pause.OURS and not self._pauses & Pause.OURS:
            self.was_not_read(self.fanout.loop.time() - self._unread_since)
        while self._backlog and not self._pauses and self.is_open:
            message = self._backlog.popleft()
            self.receiver.receive(message.opcode, message.payload)
        if not self._backlog:
            self._backlog = None
            if not self._pauses and self.state is not State.CLOSED:
                self.transport.resume_reading()

    def was_not_read(self, seconds: float) -> None:
        """The server did not read for so many seconds. What the client sent meanwhile now comes at once."""
        if seconds >= UNREAD_FROM:
            self.unread = min(UNREAD_MOST, self.unread + seconds)
            self.silent_beats = 0

    def charge(self, work: float) -> None:
        """The client has made so many units of work. If that is more than it may make, it is not read from until the
        time for them has passed."""
        if not self.is_open:
            return
        fanout = self.fanout
        wait = self._debt.add(work, fanout.loop.time(), fanout.work)
        if wait and not self._pauses & Pause.WORK:
            self.pause(Pause.WORK)
            fanout.loop.call_later(wait, self._even)

    def _even(self) -> None:
        wait = self._debt.wait(self.fanout.loop.time(), self.fanout.work)
        if wait and self.is_open:
            self.fanout.loop.call_later(wait, self._even)
        else:
            self.resume(Pause.WORK)

    @property
    def is_in_debt(self) -> bool:
        return bool(self._pauses & Pause.WORK)

    def _change(self, signal: Signal) -> None:
        try:
            self.state = TRANSITIONS[self.state, signal]
        except KeyError:
            raise RuntimeError(f"a connection that is {self.state.value} cannot {signal.value}") from None
