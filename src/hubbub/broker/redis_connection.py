"""One TCP connection to a Redis server, in RESP3: commands go out pipelined, and each is answered once.

It knows the protocol, but no channels and no publications. It replaces redis-py, in which a publication costs twelve
times the CPU (measured: 28 µs against 2.3 µs), and whose `listen()` cannot distinguish a quiet server from one that is
gone.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Any, cast

from hubbub.errors import ConfigurationError

try:
    from hiredis import ProtocolError, PushNotification, Reader, ReplyError, pack_command
except ImportError:
    raise ConfigurationError("Redis needs one more package: pip install 'hubbub[redis]'") from None

__all__ = ["Answered", "ProtocolError", "PushNotification", "RedisAway", "RedisConnection", "ReplyError"]

Word = str | bytes | int
Answered = Callable[[Any], None]
"""Called with a command's reply; with a `ReplyError` if the server refused it, or with `RedisAway` if no answer came.
Then the command may have been done or not."""

CHECKS = 4
"""How often a deadline is checked while it runs."""

_ANSWERS = (b"subscribe", b"unsubscribe")
"""Commands whose only answer is a push of this kind."""
_NOTHING = object()
_NO_REDIS = ProtocolError("its answer is not Redis's protocol")


class RedisAway(Exception):
    """The server cannot be reached, or does not answer. The message says why, without an address."""


class RedisConnection(asyncio.Protocol):
    """`pushed` is called with each push that is not an answer. If a command has no answer after `timeout` seconds, the
    connection ends: a frozen server, or one behind a broken line, looks like a server that has nothing to say."""

    def __init__(self, *, pushed: Callable[[list[Any]], None], timeout: float) -> None:
        self._pushed = pushed
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._reader = Reader(notEnoughData=_NOTHING)
        self._waiting: deque[Answered] = deque()
        self._unwritten: list[bytes] = []
        self._unwritten_bytes = 0
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._answers = 0
        self.why: Exception | None = None
        """Why it has ended."""
        self.is_open = False
        self.has_heard = False
        """Whether the server has ever said anything."""
        self.lost: asyncio.Future[Exception] = self._loop.create_future()
        """Done when the connection has ended, with the reason."""

    # Asking.

    def send(self, command: tuple[Word, ...], answered: Answered) -> None:
        """Send a command together with all others of this turn of the loop. It is answered once, also if the connection
        is lost."""
        if not self.is_open:
            answered(self.why or RedisAway("it is not connected"))
            return
        if not self._unwritten:
            self._loop.call_soon(self._write)
        # Its type stub knows tuples of one word only.
        packed: bytes = pack_command(cast(Any, command))
        self._unwritten.append(packed)
        self._unwritten_bytes += len(packed)
        self._waiting.append(answered)

    async def call(self, *command: Word) -> Any:
        """A command's reply. Raises `ReplyError`, and `RedisAway` if none comes."""
        answer: asyncio.Future[Any] = self._loop.create_future()

        def answered(reply: Any) -> None:
            if answer.done():
                return
            if isinstance(reply, Exception):
                answer.set_exception(reply)
            else:
                answer.set_result(reply)

        self.send(command, answered)
        return await answer

    @property
    def backlog(self) -> int:
        """Bytes that the network has not taken yet."""
        written = self._transport.get_write_buffer_size() if self._transport is not None else 0
        return self._unwritten_bytes + written

    def end(self, why: Exception) -> None:
        """End the connection at once."""
        self.why = self.why or why
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()

    async def all_answered(self) -> None:
        """Returns when all that was sent is answered, or the connection is lost."""
        if self.is_open and self._waiting:
            with contextlib.suppress(RedisAway):
                await self.call("PING")

    def _write(self) -> None:
        if self._transport is not None and self.is_open:
            self._transport.write(b"".join(self._unwritten))
        self._unwritten.clear()
        self._unwritten_bytes = 0

    # Receiving: methods that asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self.is_open = True
        self._check_later(0, self._answers)

    def data_received(self, data: bytes) -> None:
        self.has_heard = True
        self._reader.feed(data)
        while self.is_open:
            try:
                reply = self._reader.gets()
            except ProtocolError:
                self.end(_NO_REDIS)
                return
            if reply is _NOTHING:
                return
            if type(reply) is PushNotification and reply[0] not in _ANSWERS:
                self._pushed(reply)
            elif self._waiting:
                self._answers += 1
                self._waiting.popleft()(reply)
            else:
                # An answer before any command: "max number of clients reached".
                self.end(reply if isinstance(reply, ReplyError) else _NO_REDIS)

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = False
        self.why = self.why or RedisAway(f"the connection was lost: {error}" if error else "it closed the connection")
        if self._timer is not None:
            self._timer.cancel()
        waiting, self._waiting = self._waiting, deque()
        for answered in waiting:
            answered(self.why)
        if not self.lost.done():
            self.lost.set_result(self.why)

    # The deadline of our own.

    def _check_later(self, silent: int, answers: int) -> None:
        seconds = self._timeout / CHECKS
        self._timer = self._loop.call_later(seconds, self._check, silent, answers, self._loop.time() + seconds)

    def _check(self, silent: int, answers: int, due: float) -> None:
        is_late = self._loop.time() > due + self._timeout / CHECKS
        if not self._waiting:
            self.send(("PING",), lambda _: None)
            silent = 0
        elif self._answers != answers or is_late:
            # If this process did not run for a while, read first what has come meanwhile.
            silent = 0
        else:
            silent += 1
            if silent == CHECKS:
                self.end(RedisAway(f"it does not answer within {self._timeout:g} s"))
                return
        self._check_later(silent, self._answers)
