"""A proxy in front of the server, as people run one: it can answer instead of a server that is away.

Nothing here waits for a fixed time.
"""

import asyncio
import contextlib
from typing import Self

CHUNK = 65536
BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
LOG_IN_FIRST = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 12\r\nConnection: close\r\n\r\nlog in first"


class Gateway:
    """Passes connections on to a server on loopback, and records the first line of the request that begins each."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.answer_to_websockets: bytes | None = None
        """The answer to opening handshakes, instead of the server's."""
        self.requests: list[str] = []
        self._refused = asyncio.Event()

    @property
    def url(self) -> str:
        assert self._server is not None, "it listens inside of `async with`"
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def cut(self) -> None:
        """Break all connections without a close frame."""
        for task in self._tasks:
            task.cancel()

    async def refused(self) -> None:
        """Returns when a handshake has been answered here."""
        self._refused.clear()
        await self._refused.wait()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self._pass_on(reader, writer)
        writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.requests.append(head.partition(b"\r\n")[0].decode())
        if b"upgrade: websocket" in head.lower() and self.answer_to_websockets is not None:
            writer.write(self.answer_to_websockets)
            await writer.drain()
            self._refused.set()
            return
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._server_port)
        try:
            server_writer.write(head)
            await asyncio.gather(_pump(reader, server_writer), _pump(server_reader, writer))
        finally:
            server_writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(CHUNK):
        writer.write(data)
        await writer.drain()
    writer.close()
