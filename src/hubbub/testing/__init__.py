"""For the tests of applications that mount a hub: a real server, and a client that never waits for ever.

    async def test_a_message_reaches_the_room() -> None:
        async with serving(app) as server:
            async with server.connect("/chat/ws/chat/general?username=alice") as alice:
                await alice.send({"text": "hello"})
                await alice.expect("message", text="hello")

The server is uvicorn with Hubbub's protocol classes, in the test's own event loop, on a free port of 127.0.0.1. With
pytest, use the fixtures of `hubbub.testing.fixtures`: they need no `async with` for the server.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import urljoin

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from hubbub.app.settings_sources import load_settings
from hubbub.settings import Settings

try:
    import uvicorn

    from hubbub.serving.server import HubbubServer, server_config
except ModuleNotFoundError as error:
    if (error.name or "").startswith("hubbub"):
        raise
    raise ModuleNotFoundError(
        f"{error.name} is not installed, which hubbub.testing needs: pip install 'hubbub[server]'", name=error.name
    ) from None

TIMEOUT = 30.0


class TestClient:
    """One WebSocket client. It waits for at most `timeout` seconds each time; an error says what it had seen until
    then."""

    __test__ = False

    def __init__(self, connection: ClientConnection, *, timeout: float) -> None:
        self._connection = connection
        self._timeout = timeout
        self.seen: list[Any] = []
        """What came and was not waited for."""

    async def send(self, message: Mapping[str, Any] | str | bytes) -> None:
        """Send a command (anything that JSON can say), or a str or bytes as one text or binary frame."""
        frame = message if isinstance(message, (str, bytes)) else json.dumps(message)
        await self._within(self._connection.send(frame), "the server to take a message")

    async def receive(self) -> Any:
        """The next frame: an event, or a text that is not JSON, or bytes.

        Raises TimeoutError, or `websockets.ConnectionClosed` with the server's close code.
        """
        frame = await self._within(self._connection.recv(), "a frame")
        if isinstance(frame, bytes):
            return frame
        try:
            return json.loads(frame)
        except ValueError:
            return frame

    async def expect(self, type: str, **fields: Any) -> dict[str, Any]:
        """The next event of this type with these fields. Events before it are kept in `seen`.

        Raises AssertionError if none comes in time or the connection ends; it says what came instead.
        """
        wanted = {"type": type} | fields
        try:
            while True:
                event = await self.receive()
                if isinstance(event, dict) and wanted.items() <= event.items():
                    return event
                self.seen.append(event)
        except (TimeoutError, ConnectionClosed) as error:
            raise AssertionError(f"no {wanted} came ({error}); seen: {self.seen}") from None

    async def closed(self) -> tuple[int, str]:
        """Wait until the server has closed the connection. Returns the close code and the reason."""
        await self._within(self._connection.wait_closed(), "the server to close the connection")
        return self._connection.close_code or 1006, self._connection.close_reason or ""

    async def close(self, code: int = 1000) -> None:
        await self._connection.close(code)

    def vanish(self) -> None:
        """End without a close frame, as a phone in a tunnel does."""
        self._connection.transport.abort()

    def fall_silent(self) -> None:
        """Stay connected, but read nothing and answer no ping, as a sleeping laptop does."""
        self._connection.transport.pause_reading()

    async def _within(self, waiting: Any, what: str) -> Any:
        try:
            return await asyncio.wait_for(waiting, self._timeout)
        except TimeoutError:
            raise TimeoutError(f"waited {self._timeout:g} s for {what}") from None


class TestServer:
    """An application that is being served."""

    __test__ = False

    def __init__(self, port: int, *, timeout: float) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._timeout = timeout

    @asynccontextmanager
    async def connect(
        self, path: str, *, headers: Mapping[str, str] | None = None, subprotocols: Sequence[str] | None = None
    ) -> AsyncIterator[TestClient]:
        """A WebSocket client on one of the application's addresses, closed at the end.

        Raises `websockets.InvalidStatus` if the handshake is refused.
        """
        address = urljoin(f"ws://127.0.0.1:{self.port}/", path.lstrip("/"))
        connecting = connect(
            address,
            additional_headers=headers,
            subprotocols=[Subprotocol(name) for name in subprotocols] if subprotocols else None,
            proxy=None,
            open_timeout=TIMEOUT,
        )
        async with connecting as connection:
            yield TestClient(connection, timeout=self._timeout)


@asynccontextmanager
async def serving(
    app: Any, *, settings: Settings | None = None, plain: bool = False, timeout: float = TIMEOUT
) -> AsyncIterator[TestServer]:
    """Serve an ASGI application for as long as the block runs.

    `settings` are the server's, read from the environment if not given; a hub has its own. With `plain`, uvicorn's own
    protocol classes serve, so the hub runs as under any other ASGI server. `timeout` is in seconds, for each
    event or frame that a client waits for; starting, connecting and stopping have `TIMEOUT`.

    Raises RuntimeError if the application does not start.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    settings = settings or load_settings(None)
    if plain:
        heartbeat = settings.heartbeat
        config = uvicorn.Config(
            app, log_config=None, lifespan="on", access_log=False, ws_ping_interval=heartbeat, ws_ping_timeout=heartbeat
        )
    else:
        config = server_config(app, settings, access_log=False)
    ready = asyncio.Event()
    server = _InProcessServer(config, on_ready=ready.set)
    task = asyncio.ensure_future(server.serve([listener]))
    try:
        waiting = asyncio.ensure_future(ready.wait())
        await asyncio.wait({task, waiting}, timeout=TIMEOUT, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if not ready.is_set():
            if task.done():
                task.result()
            raise RuntimeError("the application did not start; its log says why")
        yield TestServer(listener.getsockname()[1], timeout=timeout)
    finally:
        server.told_to_stop.set()
        await asyncio.wait({task}, timeout=TIMEOUT)
        listener.close()


class _InProcessServer(HubbubServer):
    def __init__(self, config: uvicorn.Config, *, on_ready: Callable[[], None]) -> None:
        super().__init__(config, on_ready=on_ready)
        self.told_to_stop = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """uvicorn would end the process if the application does not start, but this process belongs to the tests."""
        try:
            await super().startup(sockets)
        except SystemExit:
            self.should_exit = True

    async def main_loop(self) -> None:
        """uvicorn looks only ten times a second whether it should stop, and every test would wait for that."""
        await self.on_tick(0)
        await self.told_to_stop.wait()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The process and its signals belong to the tests."""
        yield
