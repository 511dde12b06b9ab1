"""The two transports: a socket of the process's own, and the messages of any ASGI server.

Both take what a connection's format made, report when their buffer is over its high-water mark, and hand whole
messages to the connection. They know nothing of what the messages mean.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import anyio
from websockets.frames import Close

from hubbub.delivery.connection import Connection, State
from hubbub.wire.codes import CloseCode
from hubbub.wire.frames import AT_ONCE, FrameParser, Opcode, Received, close_frame, frame, work_of

HIGH_WATER = 64 * 1024
LOW_WATER = 16 * 1024
UNSENT_BYTES = 16 * 1024
"""For TCP_NOTSENT_LOWAT. Without it, the kernel buffers up to 4 MB for a client that reads nothing, so that we notice
too late."""

CLOSING_BYTES = 256 * 1024
"""Bytes that are still read from a client after it was sent a close frame."""

ITS_FAULT = frozenset({CloseCode.PROTOCOL_ERROR, CloseCode.INVALID_DATA, CloseCode.POLICY_VIOLATION, CloseCode.TOO_BIG})
"""Everything that a client sends after one of these is ignored."""

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class SocketTransport(asyncio.Protocol):
    """A connection on a socket that we own: no task, no queue and no buffer while nothing happens.

    It takes the place of the protocol that did the opening handshake. With `held`, the end of that handshake, it keeps
    what is written until `flush`, so that a client's arrival is one system call. `shutdown` is uvicorn's word for its
    server's end.
    """

    __slots__ = ("_connection", "_held", "_ignores", "_on_lost", "_parser", "_to_come", "_transport", "write")
    hears_pongs = True

    def __init__(
        self,
        connection: Connection,
        transport: asyncio.Transport,
        *,
        max_size: int,
        deflate: bool,
        on_lost: Callable[[SocketTransport], None],
        held: bytes = b"",
    ) -> None:
        self._connection = connection
        self._transport = transport
        self._parser = FrameParser(max_size, deflate=deflate)
        self._on_lost = on_lost
        self._to_come: int | None = None
        """Once a close frame is out: how many more bytes are read."""
        self._ignores = False
        """Whether they are thrown away unseen."""
        self._held: list[bytes] | None = [held] if held else None
        self.write: Callable[[bytes], None] = transport.write if self._held is None else self._held.append
        transport.set_write_buffer_limits(high=HIGH_WATER, low=LOW_WATER)

    def flush(self) -> None:
        """Write what was held, and hold nothing from now on."""
        held, self._held = self._held, None
        if held is not None:
            self.write = self._transport.write
            self._connection.fanout.rewire(self._connection)
            if not self._transport.is_closing():
                self.write(b"".join(held))

    @property
    def backlog(self) -> int:
        return self._transport.get_write_buffer_size()

    def close(self, code: int, reason: str) -> None:
        self._to_come = CLOSING_BYTES
        self.write(close_frame(code, reason))
        if code in ITS_FAULT:
            self._half_close()
        else:
            self._parser.await_close()

    def _half_close(self) -> None:
        """If we ended the TCP connection while the peer still sends, it would be reset, and a reset can overtake the
        close frame. So we end only our side, and throw away what comes until the peer ends its side or the deadline
        passes."""
        self._ignores = True
        self._parser.stop()
        if self._transport.is_closing():
            return
        self._transport.resume_reading()
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def pause_reading(self) -> None:
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._transport.is_closing():
            return
        if self._parser.has_more:
            self._connection.fanout.turns.add(self._read_on)
        else:
            self._transport.resume_reading()

    def shutdown(self) -> None:
        self._connection.close(CloseCode.SERVICE_RESTART, "the server stops")

    # What the event loop says.

    def data_received(self, data: bytes) -> None:
        if self._to_come is not None and not self._may_come(len(data)):
            return
        self._take(self._parser.receive(data))
        if self._parser.has_more and not self._transport.is_closing():
            # A packet can hold forty thousand frames. They take turns with other connections' frames and with other
            # work.
            self._transport.pause_reading()
            if not self._connection.is_paused:
                self._connection.fanout.turns.add(self._read_on)

    def _may_come(self, size: int) -> bool:
        """Whether to read what came after our close frame."""
        assert self._to_come is not None
        self._to_come -= size
        if self._to_come < 0 and not self._transport.is_closing():
            self._transport.pause_reading()
        return self._to_come >= 0 and not self._ignores

    def _read_on(self) -> None:
        """Take some of what the parser has left for later."""
        if self._connection.is_paused or self._ignores or self._transport.is_closing():
            return
        self._take(self._parser.receive(b""))
        if not self._connection.is_paused:
            self.resume_reading()

    def _take(self, received: list[Received]) -> None:
        for index, message in enumerate(received):
            if message.opcode == Opcode.PING and self._connection.state is State.OPEN:
                self.write(frame(Opcode.PONG, message.payload))
            elif message.opcode == Opcode.CLOSE:
                self._connection.received(received[:index])
                self._close_received(message.payload)
                return
        self._connection.received(received)
        if self._parser.violation is not None and self._connection.is_open:
            self._connection.close(*self._parser.violation)
        elif self._parser.work >= AT_ONCE:
            work, self._parser.work = self._parser.work, 0
            self._connection.charge(work)

    def _close_received(self, payload: bytes) -> None:
        """The peer closes, or answers our close frame. The server ends the TCP link first (RFC 6455, section 7.1.1)."""
        if self._connection.is_open:
            close = Close.parse(payload)
            self._connection.ending(close.code, close.reason)
            self.write(frame(Opcode.CLOSE, payload))
        self._transport.close()

    def pause_writing(self) -> None:
        self._connection.filled()

    def resume_writing(self) -> None:
        self._connection.emptied()

    def connection_lost(self, exc: Exception | None) -> None:
        self._on_lost(self)
        self._connection.lost(CloseCode.ABNORMAL_CLOSURE, "")


def limit_unsent(transport: asyncio.Transport) -> None:
    """Let the kernel buffer little for this client, so that `pause_writing` is called in time."""
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6) and hasattr(socket, "TCP_NOTSENT_LOWAT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)


class MessageTransport:
    """A connection over plain ASGI messages: on any server, and under Starlette's TestClient.

    It has the same high-water mark, but costs a task for each connection. The ASGI server decides what happens to a
    client that does not take what the server already has.
    """

    hears_pongs = False

    def __init__(self, connection: Connection, receive: Receive, send: Send, *, max_size: int) -> None:
        self._connection = connection
        self._receive = receive
        self._send = send
        self._max_size = max_size
        self._queue: deque[list[str | bytes]] = deque()
        self._size = 0
        self._close: tuple[int, str] | None = None
        self._scope = anyio.CancelScope()
        self._work = asyncio.Event()
        self._readable = asyncio.Event()
        self._readable.set()

    @property
    def backlog(self) -> int:
        return self._size

    def write(self, chunk: list[str | bytes]) -> None:
        if self._close is not None or self._scope.cancel_called:
            return
        self._queue.append(chunk)
        self._size += sum(map(len, chunk))
        self._work.set()
        if self._size > HIGH_WATER:
            self._connection.filled()

    def close(self, code: int, reason: str) -> None:
        self._close = (code, reason)
        self._work.set()

    def abort(self) -> None:
        # The writer may wait for ever if the client takes nothing.
        self._scope.cancel()

    def pause_reading(self) -> None:
        self._readable.clear()

    def resume_reading(self) -> None:
        self._readable.set()

    async def run(self) -> None:
        """Serve the connection until it ends, from either side."""
        try:
            with self._scope:
                async with anyio.create_task_group() as group:
                    group.start_soon(self._write)
                    await self._read()
                    self._scope.cancel()
        finally:
            self._connection.lost(CloseCode.ABNORMAL_CLOSURE, "")

    async def _read(self) -> None:
        work = 0
        while True:
            await self._readable.wait()
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                # Servers say 1005 (no code) also for a client that vanished. Only a code proves that the client said
                # goodbye.
                code = message.get("code", 1005)
                code = CloseCode.ABNORMAL_CLOSURE if code in {None, 1005} else code
                self._connection.ending(code, message.get("reason") or "")
                return
            text, data = message.get("text"), message.get("bytes")
            payload = text.encode() if text is not None else data or b""
            if len(payload) > self._max_size:
                self._connection.close(CloseCode.TOO_BIG, f"a message has at most {self._max_size} bytes")
            self._connection.received([Received(Opcode.TEXT if text is not None else Opcode.BINARY, payload)])
            work += work_of(payload)
            if not self._connection.is_open:
                # What follows is ignored. The end of the closing handshake, or its deadline, cancels this.
                await anyio.sleep_forever()
            if work >= AT_ONCE:
                self._connection.charge(work)
                work = 0
                # `receive` returns messages that have come already without giving the loop a turn.
                await asyncio.sleep(0)

    async def _write(self) -> None:
        try:
            while self._close is None:
                await self._work.wait()
                self._work.clear()
                await self._write_queue()
            code, reason = self._close
            await self._send({"type": "websocket.close", "code": code, "reason": reason})
        except OSError:
            pass  # the client is gone
        self._scope.cancel()

    async def _write_queue(self) -> None:
        while self._queue:
            for payload in self._queue.popleft():
                await self._send(_message(payload))
                self._size -= len(payload)
            if self._size < LOW_WATER:
                self._connection.emptied()


def _message(payload: str | bytes) -> MutableMapping[str, Any]:
    if isinstance(payload, str):
        return {"type": "websocket.send", "text": payload}
    return {"type": "websocket.send", "bytes": payload}
