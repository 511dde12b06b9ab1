"""The server is told to stop while two thousand are connected, some talk, and one does not read."""

import asyncio
import signal
from typing import cast

import pytest
from websockets.exceptions import ConnectionClosed

from hubbub.serving.server import raise_file_limit
from hubbub.wire.codes import CloseCode
from hubbub.wire.frames import close_frame
from tests.conftest import ServerFactory
from tests.people import Person, person
from tests.servers import WebServer

CROWD = 2000
AT_A_TIME = 50
STOPPING = 20.0
HANDSHAKE = (
    "GET /ws/chat/lobby HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
CLOSED_FOR_RESTART = close_frame(CloseCode.SERVICE_RESTART, "the server restarts")
MASKED_CLOSE = b"\x88\x82\x00\x00\x00\x00\x03\xf4"


class Listener(asyncio.Protocol):
    """One of the crowd, as small as possible: it reads everything, and answers a close frame."""

    def __init__(self, port: int) -> None:
        self._port = port
        loop = asyncio.get_running_loop()
        self.joined = loop.create_future()
        self.gone = loop.create_future()
        self._tail = b""
        self.was_told = False
        self.was_closed_well = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(HANDSHAKE.format(port=self._port).encode())

    def data_received(self, data: bytes) -> None:
        seen = self._tail + data
        if not self.joined.done() and b'"joined"' in seen:
            self.joined.set_result(None)
        self.was_told |= b'"draining"' in seen
        if seen.endswith(CLOSED_FOR_RESTART):
            self.was_closed_well = True
            self._transport.write(MASKED_CLOSE)
        self._tail = seen[-200:]

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set_result(None)
        if not self.joined.done():
            self.joined.set_exception(ConnectionError("the server ended the link before joining"))


async def gather_crowd(server: WebServer) -> list[Listener]:
    loop = asyncio.get_running_loop()
    crowd: list[Listener] = []
    for _ in range(0, CROWD, AT_A_TIME):
        come = [
            loop.create_connection(lambda: Listener(server.port), "127.0.0.1", server.port) for _ in range(AT_A_TIME)
        ]
        listeners = [listener for _, listener in await asyncio.gather(*come)]
        await asyncio.gather(*(listener.joined for listener in listeners))
        crowd += listeners
    return crowd


async def talk(somebody: Person, acked: set[str], under_way: asyncio.Event) -> None:
    """Send one message after the other until the connection ends, and note the acks."""
    number = 0
    try:
        while True:
            text = f"{somebody.key} {number}"
            if (await somebody.say("lobby", text))["type"] == "ack":
                acked.add(text)
            number += 1
            if number == 10:
                under_way.set()
    except ConnectionClosed:
        return


@pytest.mark.slow(9)
async def test_two_thousand_connections_are_closed_in_stages_and_no_acked_message_is_lost(serve: ServerFactory) -> None:
    raise_file_limit()
    server = serve(
        environment={
            "HUBBUB_CONNECTIONS_PER_ADDRESS": "0",
            "HUBBUB_DRAIN_TIMEOUT": str(STOPPING),
            "HUBBUB_CLOSE_TIMEOUT": "2",
        }
    )
    acked: set[str] = set()
    async with person(server, "sleepy") as sleepy, person(server, "alice") as alice, person(server, "bob") as bob:
        for somebody in (sleepy, alice, bob):
            await somebody.join("lobby")
        crowd = await gather_crowd(server)
        sleepy.link.transport.pause_reading()
        under_way = asyncio.Event()
        talking = [asyncio.ensure_future(talk(somebody, acked, under_way)) for somebody in (alice, bob)]
        await under_way.wait()

        server.signal(signal.SIGTERM)
        status = await asyncio.to_thread(server.wait, STOPPING + 10)
        await asyncio.gather(*talking, *(listener.gone for listener in crowd))
        sleepy.vanish()

    assert status == 0
    assert sum(listener.was_told for listener in crowd) == CROWD
    assert sum(listener.was_closed_well for listener in crowd) == CROWD

    server.start()
    async with person(server, "carol") as carol:
        await carol.join("lobby")
        stored: list[str] = []
        page = await carol.ask({"type": "history", "room": "lobby", "after": 0, "limit": 200})
        while page["messages"]:
            stored += [row["text"] for row in page["messages"]]
            last = page["messages"][-1]["seq"]
            page = await carol.ask({"type": "history", "room": "lobby", "after": last, "limit": 200})
    assert acked <= set(stored)
    assert len(stored) == len(set(stored))
