"""The dispatcher of a socket that speaks an application's own protocol: each message goes to one function."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from inspect import isawaitable

from hubbub.delivery.connection import Connection, Pause
from hubbub.dispatch.link import CLEAN, run
from hubbub.limits import TokenBucket
from hubbub.settings import Settings
from hubbub.wire.codes import CloseCode
from hubbub.wire.frames import Opcode

log = logging.getLogger("hubbub.link")

MessageHandler = Callable[[Connection, str | bytes], Awaitable[None] | None]
"""Gets a text message as str, a binary one as bytes. If it is `async`, the next message waits until it has ended."""


class RawLink:
    """We do not know the protocol, so we cannot say "slow down" or "that failed". A client that is too fast is read
    from more slowly, and a handler that fails closes the connection with 1011."""

    __slots__ = ("_bucket", "_connection", "_handler", "_limits", "_on_closed")

    def __init__(
        self,
        connection: Connection,
        handler: MessageHandler,
        limits: Settings,
        *,
        on_closed: Callable[[Connection, bool], None],
    ) -> None:
        self._connection = connection
        self._handler = handler
        self._limits = limits
        self._on_closed = on_closed
        self._bucket = TokenBucket()

    def receive(self, opcode: int, payload: bytes) -> None:
        loop = self._connection.fanout.loop
        wait = self._bucket.take(loop.time(), rate=self._limits.rate, burst=self._limits.burst)
        if wait:
            self._connection.pause(Pause.RATE)
            loop.call_later(wait, self._connection.resume, Pause.RATE)
        if opcode > Opcode.BINARY:
            return
        try:
            result = self._handler(self._connection, payload.decode() if opcode == Opcode.TEXT else payload)
        except Exception as error:  # noqa: BLE001 - the handler is the application's
            self._failed(error)
            return
        if isawaitable(result):
            self._connection.pause(Pause.ORDER)
            run(self._finish(result))

    async def _finish(self, result: Awaitable[None]) -> None:
        try:
            await result
        except Exception as error:  # noqa: BLE001 - as above
            self._failed(error)
        finally:
            self._connection.resume(Pause.ORDER)

    def _failed(self, error: Exception) -> None:
        name = getattr(self._handler, "__qualname__", repr(self._handler))
        log.error("%s failed for connection %s", name, self._connection.id, exc_info=error)
        self._connection.close(CloseCode.INTERNAL_ERROR, "the application failed")

    def relieved(self, missed: dict[str, int | None]) -> None:
        """Nothing can be recovered: the protocol is the application's."""

    def closed(self, code: int, reason: str) -> None:
        self._on_closed(self._connection, code in CLEAN)
