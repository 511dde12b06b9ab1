"""The handshake on our own protocol classes, and the handover of the socket: nothing is lost or left behind."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any, cast

import pytest
from fastapi import Depends, FastAPI, WebSocket, WebSocketDisconnect
from starlette.requests import HTTPConnection
from websockets import frames as peer
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.uri import parse_uri

from hubbub import Hubbub
from hubbub.settings import Settings
from hubbub.testing import TestServer, serving
from hubbub.wire.codecs import JSON_CODEC

DEADLINE = 20.0


class RawClient:
    """A client that chooses when it sends each byte, and reads with the client side of `websockets`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> None:
        self._reader, self._writer = reader, writer
        self._protocol = ClientProtocol(parse_uri(f"ws://127.0.0.1{path}"))
        self._protocol.send_request(self._protocol.connect())
        self.handshake = b"".join(self._protocol.data_to_send())
        self._frames: list[peer.Frame] = []

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    async def drain(self) -> None:
        await self._writer.drain()

    def stop_reading(self) -> None:
        cast(asyncio.Transport, self._writer.transport).pause_reading()

    async def frame(self) -> peer.Frame:
        """The next frame. Raises EOFError if the server ends the link first."""
        async with asyncio.timeout(DEADLINE):
            while not self._frames:
                data = await self._reader.read(65_536)
                if data:
                    self._protocol.receive_data(data)
                else:
                    self._protocol.receive_eof()
                events = self._protocol.events_received()
                assert self._protocol.handshake_exc is None, self._protocol.handshake_exc
                self._frames += [event for event in events if isinstance(event, peer.Frame)]
                if not data and not self._frames:
                    raise EOFError
        return self._frames.pop(0)

    async def event(self) -> dict[str, Any]:
        event: dict[str, Any] = JSON_CODEC.decode(bytes((await self.frame()).data))
        return event

    async def line(self) -> bytes:
        """The next line, as it came."""
        async with asyncio.timeout(DEADLINE):
            return await self._reader.readline()

    async def rest(self) -> bytes:
        """Everything until the server ends the link, as it came."""
        async with asyncio.timeout(DEADLINE):
            return await self._reader.read()


@asynccontextmanager
async def raw_client(server: TestServer, path: str) -> AsyncIterator[RawClient]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        yield RawClient(reader, writer, path)
    finally:
        writer.close()


def text(content: str) -> bytes:
    return peer.Frame(peer.Opcode.TEXT, content.encode()).serialize(mask=True)


def mounted(hub: Hubbub) -> FastAPI:
    app = FastAPI()
    app.include_router(hub.router)
    return app


def chat_app() -> FastAPI:
    return mounted(Hubbub(guests="auto", page=False, settings=Settings(head_timeout=0.3)))


async def test_frames_in_one_packet_with_the_handshake_are_not_lost() -> None:
    async with serving(chat_app()) as server, raw_client(server, "/ws/chat/room1?username=alice") as alice:
        alice.write(alice.handshake + text('{"text": "one"}') + text('{"text": "two"}'))

        events = [await alice.event() for _ in range(5)]

    assert [event["type"] for event in events[:2]] == ["welcome", "joined"]
    assert [event["text"] for event in events if event["type"] == "message"] == ["one", "two"]


async def test_a_handshake_may_come_byte_by_byte() -> None:
    async with serving(chat_app()) as server, raw_client(server, "/ws?username=alice") as alice:
        for byte in alice.handshake:
            alice.write(bytes((byte,)))
            await asyncio.sleep(0)

        assert (await alice.event())["type"] == "welcome"


async def test_half_a_frame_in_one_packet_with_the_handshake_is_completed_later() -> None:
    frame = text('{"type": "ping", "id": "p"}')
    async with serving(chat_app()) as server, raw_client(server, "/ws?username=alice") as alice:
        alice.write(alice.handshake + frame[:9])
        assert (await alice.event())["type"] == "welcome"
        alice.write(frame[9:])

        assert (await alice.event())["type"] == "pong"


class Gate:
    """A hub whose endpoint, between the handshake and its own end, waits for the test."""

    def __init__(self, after_accept: Callable[[], Awaitable[None]]) -> None:
        self.hub = Hubbub(guests="auto", page=False, settings=Settings())
        self.app = mounted(self.hub)

        @self.app.websocket("/gate")
        async def gate(websocket: WebSocket) -> None:
            await self.hub.serve(websocket, room="room1")
            await after_accept()


async def test_nothing_is_read_until_the_endpoint_has_returned() -> None:
    returned = asyncio.Event()
    gate = Gate(returned.wait)  # type: ignore[arg-type]
    async with serving(gate.app) as server, server.connect("/gate?username=alice") as alice:
        await alice.expect("joined")
        await alice.send({"type": "ping", "id": "early"})
        # Bob's whole visit takes longer than alice's ping would.
        async with server.connect("/ws?username=bob") as bob:
            await bob.expect("welcome")
        assert not [event for event in alice.seen if event["type"] == "pong"]

        returned.set()

        await alice.expect("pong", id="early")


async def test_a_client_that_goes_before_the_endpoint_returns_is_not_written_to() -> None:
    returned = asyncio.Event()
    gate = Gate(returned.wait)  # type: ignore[arg-type]
    async with serving(gate.app) as server, server.connect("/ws/chat/room1?username=bob") as bob:
        async with server.connect("/gate?username=alice") as alice:
            await alice.expect("joined")
            alice.vanish()
        try:
            # The server does not read from her yet. Only a write to her shows that she is gone.
            async with asyncio.timeout(DEADLINE):
                while len(gate.hub.connections) > 1:
                    await bob.send({"text": "are you there?"})
                    await bob.expect("message", text="are you there?")
            await bob.send({"text": "well then"})

            await bob.expect("message", text="well then")
        finally:
            returned.set()


async def test_an_endpoint_that_fails_after_the_handshake_closes_with_1011(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise RuntimeError("the application's own mistake")

    async with serving(Gate(fail).app) as server, server.connect("/gate?username=alice") as alice:
        assert (await alice.closed())[0] == 1011

    assert "the application's own mistake" in caplog.text


async def test_an_endpoint_that_fails_before_the_handshake_answers_with_500(caplog: pytest.LogCaptureFixture) -> None:
    app = FastAPI()

    @app.websocket("/broken")
    async def broken(websocket: WebSocket) -> None:
        raise RuntimeError("the application's own mistake")

    async with serving(app) as server:
        with pytest.raises(InvalidStatus) as caught:
            async with server.connect("/broken"):
                pass

    assert caught.value.response.status_code == 500
    assert "the application's own mistake" in caplog.text


async def test_a_plain_websocket_route_of_the_application_works_beside_the_hub() -> None:
    app = chat_app()

    @app.websocket("/echo")
    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        try:
            while True:
                await websocket.send_text(await websocket.receive_text())
        except WebSocketDisconnect:
            return

    async with serving(app) as server, server.connect("/echo") as alice:
        for number in range(10):
            await alice.send(f"line {number}")
            assert await alice.receive() == f"line {number}"


async def test_an_early_frame_for_a_plain_route_is_not_lost() -> None:
    app = FastAPI()

    @app.websocket("/echo")
    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(await websocket.receive_text())

    async with serving(app) as server, raw_client(server, "/echo") as alice:
        alice.write(alice.handshake + text("early"))

        assert bytes((await alice.frame()).data) == b"early"


async def test_a_dependency_with_yield_is_closed_when_the_socket_is_handed_over() -> None:
    closed = asyncio.Event()

    async def database() -> AsyncIterator[str]:
        yield "session"
        closed.set()

    async def login(connection: HTTPConnection, session: Annotated[str, Depends(database)]) -> str:
        return "alice"

    async with (
        serving(mounted(Hubbub(authenticate=login, page=False, settings=Settings()))) as server,
        server.connect("/ws") as alice,
    ):
        welcome = await alice.expect("welcome")
        async with asyncio.timeout(DEADLINE):
            await closed.wait()
        await alice.send({"type": "ping"})
        await alice.expect("pong")

    assert welcome["user"] == "alice"
    assert "guest" not in welcome


async def test_no_task_is_left_for_an_idle_connection() -> None:
    async with serving(chat_app()) as server:
        before = len(asyncio.all_tasks())
        async with server.connect("/ws/chat/room1?username=alice") as alice:
            await alice.expect("joined")
            await alice.send({"type": "ping"})
            await alice.expect("pong")
            ours = [task for task in asyncio.all_tasks() if "websockets" not in repr(task)]

            assert len(ours) <= before


async def test_half_a_handshake_is_dropped_after_its_deadline() -> None:
    async with serving(chat_app(), settings=Settings(head_timeout=0.3)) as server:
        async with raw_client(server, "/ws") as nobody:
            nobody.write(nobody.handshake[:40])
            assert await nobody.rest() == b""
        async with raw_client(server, "/ws") as nobody:
            assert await nobody.rest() == b""


async def test_a_connection_whose_head_came_in_time_stays_open() -> None:
    async with (
        serving(chat_app(), settings=Settings(head_timeout=0.3)) as server,
        server.connect("/ws?username=alice") as alice,
    ):
        await alice.expect("welcome")
        # The server drops them before any deadline of their own.
        async with raw_client(server, "/ws") as nobody:
            assert await nobody.rest() == b""
        await alice.send({"type": "ping"})
        await alice.expect("pong")


@pytest.mark.parametrize(
    ("line", "other"),
    [
        (b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Version: 12"),
        (b"Sec-WebSocket-Version: 13", b"X: y"),
        (b"Upgrade: websocket", b"Upgrade: other"),
        (b"Sec-WebSocket-Key: ", b"Sec-WebSocket-Key: short"),
        (b"Sec-WebSocket-Key: ", b"X-Key: "),
    ],
    ids=repr,
)
async def test_an_invalid_handshake_gets_an_http_answer(line: bytes, other: bytes) -> None:
    async with serving(chat_app()) as server, raw_client(server, "/ws") as alice:
        assert line in alice.handshake
        alice.write(alice.handshake.replace(line, other))

        assert (await alice.line()).startswith(b"HTTP/1.1 4")
