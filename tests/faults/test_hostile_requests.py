"""Requests and commands that are cheap to send and costly to serve: memory stays bounded, without a traceback."""

import asyncio
import json
import zlib
from collections.abc import Iterator

import pytest
from starlette.requests import Request
from starlette.types import Message

from hubbub.errors import Invalid
from hubbub.features.topics.routes import read_notice
from hubbub.http import bodies
from tests.faults.test_hostile_clients import DEADLINE, MEGABYTE, TEXT, attacker, memory
from tests.people import person
from tests.servers import WebServer, hubbub_server, watched

POST = b"POST /notify/topic HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    environment = {"HUBBUB_RATE": "100000", "HUBBUB_BURST": "100000"}
    yield from watched(hubbub_server(tmp_path_factory.mktemp("requests"), environment=environment))


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        (b"GET / HTTP/1.1\r\n", b"X-Header: " + b"a" * 1000 + b"\r\n"),
        (b"GET / HTTP/1.1\r\nX-Header: ", b"a" * 1000),
        (b"GET /", b"a" * 1000),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-Trailer: " + b"a" * 1000 + b"\r\n"),
    ],
    ids=["headers", "one header", "target", "trailers"],
)
async def test_an_endless_head_is_cut_off_in_little_memory(server: WebServer, begin: bytes, more: bytes) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    before = memory(server)
    writer.write(begin)

    async def go_on() -> None:
        for _ in range(1000):
            writer.write(more * 100)
            await writer.drain()

    with pytest.raises(ConnectionError):
        await asyncio.wait_for(go_on(), DEADLINE)
    writer.close()

    assert memory(server) - before < 10 * MEGABYTE


async def test_a_body_in_small_chunks_is_not_counted_as_a_head(server: WebServer) -> None:
    body = b'{"title": "t", "message": "' + b"m" * 3000 + b'"}'
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(POST + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n")
    for byte in body:
        writer.write(b"1;%s\r\n%c\r\n" % (b"x" * 50, byte))
    writer.write(b"0\r\n\r\n")
    async with asyncio.timeout(DEADLINE):
        answer = await reader.read()
    writer.close()

    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_a_client_that_hangs_up_in_the_middle_of_a_body_leaves_no_traceback(server: WebServer) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(POST + b"Content-Length: 100\r\nExpect: 100-continue\r\n\r\n")
    async with asyncio.timeout(DEADLINE):
        # Now the server waits for the body.
        await reader.readuntil(b"100 Continue\r\n\r\n")
    writer.write(b'{"title":')
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    async with person(server) as somebody:
        await somebody.catch_up()

    server.check_log()


async def test_the_server_does_not_wait_for_a_body_that_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_TIMEOUT", 0.05)

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    scope = {"type": "http", "method": "POST", "headers": [], "query_string": b"title=x"}
    with pytest.raises(Invalid, match="did not come"):
        await read_notice(Request(scope, receive))


async def test_a_packet_that_inflates_a_thousandfold_takes_little_memory(server: WebServer) -> None:
    compressor = zlib.compressobj(9, wbits=-15)
    large = (compressor.compress(b" " * 65_536) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]
    async with attacker(server, compress=True) as mallory:
        mallory.send(TEXT, b'{"type": "ping"}')
        await mallory.event("pong")
        before = memory(server)
        for _ in range(500):
            mallory.send(TEXT, large, reserved=0x40)
        mallory.send(TEXT, b'{"type": "ping"}')
        await mallory.event("pong")

        assert memory(server) - before < 10 * MEGABYTE


async def test_joining_many_large_rooms_without_reading_takes_little_memory(server: WebServer) -> None:
    rooms = [f"large-{number}" for number in range(100)]
    async with person(server, "alice") as alice:
        for acks, room in enumerate(rooms, 1):
            await alice.join(room)
            for number in range(12):
                # 16 KB each.
                await alice.send({"type": "message", "id": str(number), "room": room, "text": "😀" * 4000})
            await alice.gather("ack", 12 * acks)
    join = {"type": "join", "limit": 200, "rooms": [{"room": room} for room in rooms]}
    async with attacker(server, "/ws?username=greedy") as greedy:
        before = memory(server)

        greedy.send(TEXT, json.dumps(join).encode())
        await asyncio.sleep(2)
        assert memory(server) - before < 10 * MEGABYTE

        joined = []
        async for event in greedy.events():
            if event["type"] == "joined":
                joined.append(event["room"])
            if len(joined) == len(rooms):
                break
        assert joined == rooms
