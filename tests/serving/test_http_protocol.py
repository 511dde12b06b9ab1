"""HTTP on our own protocol class: one request at a time, whatever the packets are, and no ambiguous head."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import pytest
from fastapi import FastAPI, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from hubbub import Hubbub
from hubbub.settings import Settings
from hubbub.testing import TestServer, serving
from tests.serving.test_websocket_protocol import DEADLINE, RawClient, raw_client

ALONE = b"Connection: close\r\n"


class Asked:
    """An application that records its requests."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.bodies: list[bytes] = []
        self.begun = asyncio.Event()
        self.app = FastAPI()
        self.app.include_router(Hubbub(guests="on", page=False, settings=Settings()).router)

        @self.app.api_route("/echo/{number}", methods=["GET", "POST"])
        async def echo(request: Request, number: int) -> Response:
            self.requests.append(request)
            self.begun.set()
            body = await request.body()
            self.bodies.append(body)
            # Other tasks run before it answers.
            await asyncio.sleep(0)
            return PlainTextResponse(f"{number}:{len(body)}")

        @self.app.post("/unread")
        async def unread() -> str:
            return "answered"

        @self.app.get("/large")
        async def large() -> Response:
            return Response(bytes(20_000_000))


@pytest.fixture
def asked() -> Asked:
    return Asked()


@asynccontextmanager
async def client(server: TestServer) -> AsyncIterator[RawClient]:
    async with raw_client(server, "/ws?username=alice") as somebody:
        yield somebody


def request(number: int, *, headers: bytes = b"", body: bytes = b"") -> bytes:
    method = b"POST" if headers or body else b"GET"
    if body:
        headers += b"Content-Length: %d\r\n" % len(body)
    return b"%s /echo/%d HTTP/1.1\r\nHost: localhost\r\n%s\r\n%s" % (method, number, headers, body)


def chunked(number: int, *chunks: bytes) -> bytes:
    body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return request(number, headers=b"Transfer-Encoding: chunked\r\n") + body + b"0\r\n\r\n"


@pytest.mark.parametrize("packet", [1, 2, 3, 5, 11, 64, 100_000])
async def test_pipelined_requests_are_answered_one_by_one_in_pieces_of_any_size(asked: Asked, packet: int) -> None:
    requests = [
        request(0),
        request(1, body=b"\r\n\r\nGET /echo/77 HTTP/1.1\r\n\r\n"),
        chunked(2, b"\r\n", b"\r\n\r\n", b"GET /echo/78 HTTP/1.1\r\n\r\n", b"end\r\n"),
        request(3, body=b"x"),
        b"\r\n" + request(4),
        chunked(5),
        request(6, headers=ALONE),
    ]
    stream = b"".join(requests)
    async with serving(asked.app) as server, client(server) as alice:
        for start in range(0, len(stream), packet):
            alice.write(stream[start : start + packet])
            await asyncio.sleep(0)
        answers = await alice.rest()

    bodies = [answer.partition(b"\r\n\r\n")[2].partition(b"HTTP/1.1")[0] for answer in answers.split(b"HTTP/1.1 200")]
    assert bodies[1:] == [b"0:0", b"1:29", b"2:36", b"3:1", b"4:0", b"5:0", b"6:0"]


async def test_of_many_requests_that_come_at_once_one_begins_in_each_turn_of_the_event_loop() -> None:
    loop, turn, begun = asyncio.get_running_loop(), 0, list[int]()
    app = FastAPI()

    @app.get("/")
    async def answer() -> None:
        begun.append(turn)

    def count_turns() -> None:
        nonlocal turn
        turn += 1
        if len(begun) < 20:
            loop.call_soon(count_turns)

    async with serving(app) as server, AsyncExitStack() as clients:
        people = [await clients.enter_async_context(client(server)) for _ in range(20)]
        loop.call_soon(count_turns)
        for somebody in people:
            somebody.write(b"GET / HTTP/1.1\r\nHost: a\r\n%s\r\n" % ALONE)
        for somebody in people:
            assert (await somebody.rest()).startswith(b"HTTP/1.1 200 ")

    assert len(set(begun)) == len(begun) == 20


async def test_a_pipelined_request_is_not_begun_before_the_one_before_it_is_answered() -> None:
    begun: asyncio.Queue[int] = asyncio.Queue()
    may_answer = asyncio.Event()
    app = FastAPI()

    @app.get("/{number}")
    async def answer(number: int) -> int:
        begun.put_nowait(number)
        await may_answer.wait()
        return number

    async with serving(app) as server, client(server) as alice, client(server) as bob:
        alice.write(b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(3)))
        async with asyncio.timeout(DEADLINE):
            assert await begun.get() == 0
            # Bob's request comes later, and is begun.
            bob.write(b"GET /77 HTTP/1.1\r\nHost: a\r\n\r\n")
            assert await begun.get() == 77
            may_answer.set()
            assert [await begun.get(), await begun.get()] == [1, 2]


async def test_an_upgrade_in_one_packet_with_a_request_comes_after_its_answer(asked: Asked) -> None:
    async with serving(asked.app) as server, client(server) as alice:
        alice.write(request(1) + request(2, body=b"x") + alice.handshake)
        lines = [await alice.line() for _ in range(12)]

    statuses = [line for line in lines if b"HTTP/1.1 " in line]
    assert [status[status.index(b"HTTP/") :][9:12] for status in statuses] == [b"200", b"200", b"101"]


@pytest.mark.parametrize("wish", [b"h2c", b"TLS/1.0"])
async def test_a_request_for_another_upgrade_is_ignored(asked: Asked, wish: bytes) -> None:
    async with serving(asked.app) as server, client(server) as alice:
        alice.write(request(1, headers=b"Connection: Upgrade\r\nUpgrade: %s\r\n" % wish))
        answer = await alice.rest()

    assert answer.startswith(b"HTTP/1.1 200 ")


async def send_until_reset(somebody: RawClient, data: bytes) -> None:
    """Returns when the server's socket is gone: what is sent there is answered with a reset then."""
    async with asyncio.timeout(DEADLINE):
        with suppress(ConnectionError):
            while True:
                somebody.write(data)
                await somebody.drain()
                await asyncio.sleep(0.02)


# Ambiguous heads.

POST = b"POST /echo/1 HTTP/1.1\r\nHost: localhost\r\n"
LENGTH = b"Content-Length: 3\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"

REFUSED = {
    "no Host": (b"GET /echo/1 HTTP/1.1\r\n\r\n", 400),
    "two Hosts": (b"GET /echo/1 HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400),
    "two Hosts in HTTP/1.0": (b"GET /echo/1 HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    "two Hosts in one line": (b"GET /echo/1 HTTP/1.1\r\nHost: localhost, evil.com\r\n\r\n", 400),
    "a Host with a user": (b"GET /echo/1 HTTP/1.1\r\nHost: evil.com@localhost\r\n\r\n", 400),
    "a Host with a path": (b"GET /echo/1 HTTP/1.1\r\nHost: localhost/a\r\n\r\n", 400),
    "a handshake without Host": (b"GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 400),
    "a handshake with a body": (
        b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" + LENGTH + b"\r\nabc",
        400,
    ),
    "a wish for HTTP/2, with a body": (POST + LENGTH + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\nabc", 400),
    "a length and chunks": (POST + LENGTH + CHUNKED + b"\r\n0\r\n\r\n", 400),
    "chunks and a length": (POST + CHUNKED + LENGTH + b"\r\n0\r\n\r\n", 400),
    "two lengths": (POST + LENGTH + LENGTH + b"\r\nabc", 400),
    "a list of lengths": (POST + b"Content-Length: 3, 3\r\n\r\nabc", 400),
    "a length with a sign": (POST + b"Content-Length: +3\r\n\r\nabc", 400),
    "chunks last but one": (POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400),
    "no chunks": (POST + b"Transfer-Encoding: identity\r\n\r\n0\r\n\r\n", 501),
    "chunks twice": (POST + CHUNKED + CHUNKED + b"\r\n0\r\n\r\n", 400),
    "packed chunks": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    "almost chunked": (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
    "chunks in HTTP/1.0": (b"POST /echo/1 HTTP/1.0\r\n" + CHUNKED + b"\r\n0\r\n\r\n", 400),
    "a space before the colon": (POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
    "a folded line": (POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400),
    "a bare line feed": (POST + b"X: y\nContent-Length: 3\r\n\r\nabc", 400),
    "a chunk's size with a line feed only": (POST + CHUNKED + b"\r\n3\nabc\r\n0\r\n\r\n", 400),
    "a control character": (POST + b"X: a\x00b\r\n\r\n", 400),
    "HTTP/0.9": (b"GET /echo/1\r\n\r\n", 505),
    "HTTP/2": (b"GET /echo/1 HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    "HTTP/2 from its first byte": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "CONNECT": (b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n", 400),
    "many headers": (b"GET /echo/1 HTTP/1.1\r\nHost: a\r\n" + b"a:\r\n" * 300 + b"\r\n", 431),
    "empty lines only": (b"\r\n" * 10, 400),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_an_ambiguous_head_is_refused_and_nothing_after_it_is_read(asked: Asked, name: str) -> None:
    head, status = REFUSED[name]
    async with serving(asked.app) as server:
        for packets in ([head + request(2)], [head[:-1], head[-1:] + request(2)]):
            async with client(server) as alice:
                for packet in packets:
                    alice.write(packet)
                    await asyncio.sleep(0.01)
                answer = await alice.rest()
            assert answer.startswith(b"HTTP/1.1 %d " % status), answer
            assert answer.count(b"HTTP/1.1 ") == 1

    assert not asked.bodies


async def test_an_http_1_0_request_needs_no_host(asked: Asked) -> None:
    async with serving(asked.app) as server, client(server) as alice:
        alice.write(b"GET /echo/1 HTTP/1.0\r\n\r\n")

        assert (await alice.rest()).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("cut", [80_000, 40_000, 1000])
async def test_a_head_is_too_large_in_one_packet_as_in_several(asked: Asked, cut: int) -> None:
    head = b"GET /echo/1 HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 70_000 + b"\r\n\r\n"
    async with serving(asked.app) as server, client(server) as alice:
        for start in range(0, len(head), cut):
            alice.write(head[start : start + cut])
            await asyncio.sleep(0)

        assert (await alice.line()).startswith(b"HTTP/1.1 431 ")


async def test_a_chunk_that_is_wrong_is_answered_once(asked: Asked) -> None:
    async with serving(asked.app) as server, client(server) as alice:
        alice.write(POST + CHUNKED + b"\r\n3\r\nabc\r\n")
        async with asyncio.timeout(DEADLINE):
            await asked.begun.wait()
        alice.write(b"nonsense\r\n")
        answer = await alice.rest()

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1


async def test_trailers_do_not_become_headers(asked: Asked) -> None:
    async with serving(asked.app) as server, client(server) as alice:
        alice.write(POST + ALONE + CHUNKED + b"\r\n3\r\nabc\r\n0\r\nCookie: session=alice\r\n\r\n")
        assert (await alice.rest()).startswith(b"HTTP/1.1 200 ")

    assert asked.bodies == [b"abc"]
    assert "cookie" not in asked.requests[0].headers


# Bodies.


async def test_the_rest_of_an_unread_body_is_skipped(asked: Asked) -> None:
    async with serving(asked.app) as server, client(server) as alice:
        alice.write(b"POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n")
        assert (await alice.line()).startswith(b"HTTP/1.1 200 ")
        alice.write(b"x" * 200_000 + request(1, headers=ALONE))

        assert (await alice.rest()).endswith(b"1:0")


async def test_an_endless_unread_body_is_cut_off(asked: Asked) -> None:
    async with serving(asked.app) as server, client(server) as alice:
        alice.write(b"POST /unread HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        await send_until_reset(alice, b"ffff\r\n" + b"x" * 0xFFFF + b"\r\n")


async def test_a_large_body_arrives_whole_with_a_length_or_in_chunks(asked: Asked) -> None:
    body = bytes(range(256)) * 20_000
    async with serving(asked.app) as server, client(server) as alice:
        alice.write(request(1, body=body) + chunked(2, *(body[at : at + 50_000] for at in range(0, len(body), 50_000))))
        alice.write(request(3, headers=ALONE))
        await alice.rest()

    assert asked.bodies == [body, body, b""]


# Deadlines.

HASTY = Settings(head_timeout=0.3, stall_timeout=0.3, stall_patience=1)


async def test_a_dripped_body_is_not_waited_for(asked: Asked) -> None:
    async with serving(asked.app, settings=HASTY) as server, client(server) as alice:
        alice.write(POST + b"Content-Length: 1000\r\n\r\n")
        dripping = asyncio.ensure_future(drip(alice, b"x"))

        assert (await alice.rest()).startswith(b"HTTP/1.1 408 ")
        dripping.cancel()


async def test_empty_lines_do_not_keep_an_idle_connection(asked: Asked) -> None:
    async with serving(asked.app, settings=HASTY) as server, client(server) as alice:
        alice.write(request(1))
        assert (await alice.line()).startswith(b"HTTP/1.1 200 ")
        dripping = asyncio.ensure_future(drip(alice, b"\r\n"))

        await alice.rest()
        dripping.cancel()


async def drip(client: RawClient, data: bytes) -> None:
    while True:
        client.write(data)
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("headers", [b"", ALONE], ids=["kept alive", "closed"])
async def test_an_untaken_answer_does_not_keep_the_socket_open(asked: Asked, headers: bytes) -> None:
    async with serving(asked.app, settings=HASTY) as server, client(server) as alice:
        alice.stop_reading()
        alice.write(b"GET /large HTTP/1.1\r\nHost: a\r\n" + headers + b"\r\n")
        await send_until_reset(alice, b"\r\n")


async def test_an_untaken_refusal_does_not_keep_the_socket_open() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.http.response.start", "status": 403, "headers": []})
            await send({"type": "websocket.http.response.body", "body": bytes(20_000_000)})
        elif scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})

    async with serving(app, settings=HASTY) as server, client(server) as alice:
        alice.stop_reading()
        alice.write(alice.handshake)
        await send_until_reset(alice, b"\r\n")


async def test_a_slow_application_is_waited_for() -> None:
    app = FastAPI()

    @app.post("/slow")
    async def slow(request: Request) -> StreamingResponse:
        await request.body()
        await asyncio.sleep(1)

        async def parts() -> AsyncIterator[bytes]:
            yield b"one"
            await asyncio.sleep(1)
            yield b"two"

        return StreamingResponse(parts())

    async with serving(app, settings=HASTY) as server, client(server) as alice:
        alice.write(b"POST /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx")

        assert b"two" in await alice.rest()
