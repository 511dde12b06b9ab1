"""A TCP proxy in front of a server, that cuts connections where a test says."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Self

CHUNK = 64 * 1024


class Proxy:
    """Listens on a free port of 127.0.0.1 and passes bytes on to `port`, where the server may come and go.

    `allowance` is asked for each connection: how many bytes may pass, both ways together, before it is cut; None for
    any number. What came up to the cut is passed on, so a cut may fall in the middle of a frame or of the handshake.
    """

    def __init__(self, port: int, allowance: Callable[[], int | None] = lambda: None) -> None:
        self.server_port = port
        self.allowance = allowance
        self.cuts = 0
        self.passed = 0
        """Bytes of all connections together."""
        self._accepts = True
        self._lets_through = asyncio.Event()
        self._lets_through.set()
        self._links: set[_Link] = set()
        self._passing: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def address(self) -> str:
        assert self._server is not None, "it listens inside of `async with`"
        return f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/ws"

    def hold_answers(self) -> None:
        """What the server sends is held here until `let_answers_through`. If the connection is cut first, it is
        lost."""
        self._lets_through.clear()

    def let_answers_through(self) -> None:
        self._lets_through.set()

    def refuse(self) -> None:
        """Break all connections, and refuse new ones until `accept`."""
        self._accepts = False
        self.cut()

    def accept(self) -> None:
        self._accepts = True

    def cut(self) -> None:
        """Break all connections without a close frame to either side."""
        for link in list(self._links):
            self.cuts += 1
            link.abort()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for link in list(self._links):
            link.abort()
        # Until Python 3.12, `wait_closed` waits for nothing.
        for passing in self._passing:
            passing.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._passing.add(task)
        task.add_done_callback(self._passing.discard)
        with contextlib.suppress(asyncio.CancelledError):
            await self._pass_on(reader, writer)
            return
        writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._accepts:
            writer.transport.abort()
            return
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.server_port)
        except OSError:
            writer.transport.abort()
            return
        link = _Link(self, writer, server_writer, self.allowance())
        self._links.add(link)
        try:
            await asyncio.gather(
                link.pump(reader, server_writer), link.pump(server_reader, writer, when=self._lets_through)
            )
        finally:
            self._links.discard(link)


class _Link:
    def __init__(
        self, proxy: Proxy, client: asyncio.StreamWriter, server: asyncio.StreamWriter, allowance: int | None
    ) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._left = allowance

    async def pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, when: asyncio.Event | None = None
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                if when is not None:
                    await when.wait()
                passed = data if self._left is None else data[: self._left]
                self._proxy.passed += len(passed)
                writer.write(passed)
                if self._left is not None:
                    self._left -= len(passed)
                    if self._left == 0:
                        self._proxy.cuts += 1
                        break
                await writer.drain()
        self._close()

    def abort(self) -> None:
        self._client.transport.abort()
        self._server.transport.abort()

    def _close(self) -> None:
        self._client.close()
        self._server.close()
