"""Plain HTTP sockets do not harm others: neither those that send without reading, nor idle ones."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.faults.test_hostile_clients import DEADLINE, MEGABYTE, memory
from tests.people import Refused, person
from tests.servers import WebServer, hubbub_server, watched

pytestmark = pytest.mark.slow(2)

ALIVE = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"

HASTY = {
    "HUBBUB_HEAD_TIMEOUT": "1",
    "HUBBUB_STALL_TIMEOUT": "1",
    "HUBBUB_STALL_PATIENCE": "2",
    "HUBBUB_LINGER": "0.2",
}


@contextmanager
def server_with(folder: Path, files: int = 0, **environment: str) -> Iterator[WebServer]:
    server = hubbub_server(folder, environment={f"HUBBUB_{name.upper()}": value for name, value in environment.items()})
    if files:
        server.command = ["prlimit", f"--nofile={files}:{files}", *server.command]
    yield from watched(server)


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """A server with short deadlines, and without a limit per address."""
    yield from watched(
        hubbub_server(tmp_path_factory.mktemp("hasty"), environment={**HASTY, "HUBBUB_CONNECTIONS_PER_ADDRESS": "0"})
    )


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """A server that allows five sockets per address."""
    with server_with(tmp_path_factory.mktemp("few"), connections_per_address="5", linger="0.2") as server:
        yield server


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """A server that may open few files."""
    folder = tmp_path_factory.mktemp("small")
    with server_with(folder, files=128, connections_per_address="0", head_timeout="1") as server:
        yield server


@asynccontextmanager
async def link(server: WebServer) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * 1024)
    sock.connect(("127.0.0.1", server.port))
    reader, writer = await asyncio.open_connection(sock=sock)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def ask(server: WebServer, request: bytes = ALIVE) -> bytes:
    """The first line of the answer, b"" if there is none."""
    async with link(server) as (reader, writer):
        writer.write(request)
        return await first_line(reader)


async def first_line(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(DEADLINE):
        try:
            return await reader.readline()
        except ConnectionResetError:
            return b""


# Memory.


@pytest.mark.parametrize(
    "flood",
    [
        ALIVE * 1000,
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 1000,
        b"POST /notify/x?title=t HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n" * 1000,
    ],
    ids=["small answers", "pages", "notifications"],
)
async def test_endless_requests_whose_answers_nobody_reads_take_little_memory(hasty: WebServer, flood: bytes) -> None:
    await ask(hasty, flood)
    before = memory(hasty)
    async with link(hasty) as (_, writer):
        writer.transport.pause_reading()  # type: ignore[attr-defined]

        async def send(megabytes: int) -> None:
            for _ in range(megabytes * MEGABYTE // len(flood)):
                writer.write(flood)
                await writer.drain()

        # The server reads no more until its answers are read, and finally ends the link.
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(send(20), DEADLINE)

    assert memory(hasty) - before < 10 * MEGABYTE
    assert (await ask(hasty)).startswith(b"HTTP/1.1 200 ")


async def test_a_huge_body_for_a_notification_is_refused_before_it_is_read(hasty: WebServer) -> None:
    head = b"POST /notify/x HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"

    assert (await ask(hasty, head % 10**12)).startswith(b"HTTP/1.1 413 ")


async def test_endless_chunks_for_a_notification_are_refused_and_the_answer_arrives(hasty: WebServer) -> None:
    head = b"POST /notify/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"1000\r\n" + b"x" * 0x1000 + b"\r\n"

    assert (await ask(hasty, head + chunk * 40)).startswith(b"HTTP/1.1 413 ")


# Sockets of an address.


async def test_plain_sockets_of_an_address_count_like_its_websockets(few: WebServer) -> None:
    async with person(few, "alice"), AsyncExitStack() as stack:
        for _ in range(4):
            reader, writer = await stack.enter_async_context(link(few))
            writer.write(ALIVE)
            await first_line(reader)

        assert (await ask(few)).startswith(b"HTTP/1.1 429 ")
        with pytest.raises(Refused) as refused:
            async with person(few, "bob"):
                pass
        assert (refused.value.status, refused.value.body["code"]) == (429, "rate_limited")
        assert "Retry-After" in refused.value.headers

    # Sockets that close make room, WebSockets too.
    async with asyncio.timeout(DEADLINE):
        while not (await ask(few)).startswith(b"HTTP/1.1 200 "):
            pass
    async with AsyncExitStack() as stack:
        for name in ("alice", "bob", "carol", "dave"):
            await stack.enter_async_context(person(few, name))
        assert (await ask(few)).startswith(b"HTTP/1.1 200 ")


async def test_an_address_that_keeps_exceeding_the_limit_gets_no_answer(few: WebServer) -> None:
    async with AsyncExitStack() as stack:
        readers = [(await stack.enter_async_context(link(few)))[0] for _ in range(40)]

        ended = [asyncio.ensure_future(first_line(reader)) for reader in readers[25:]]
        assert await asyncio.gather(*ended) == [b""] * 15


async def test_only_a_trusted_proxy_says_whose_socket_it_is(tmp_path: Path) -> None:
    def forwarded(address: str) -> dict[str, str]:
        return {"X-Forwarded-For": address}

    folder = tmp_path / "trusting"
    folder.mkdir()
    with server_with(tmp_path, connections_per_address="2", guests="on") as server:
        async with AsyncExitStack() as stack:
            for number in range(2):
                await stack.enter_async_context(person(server, headers=forwarded(f"192.0.2.{number}")))
            with pytest.raises(Refused):
                await stack.enter_async_context(person(server, headers=forwarded("192.0.2.9")))

    proxies = '["127.0.0.0/8", "10.0.0.1"]'
    with server_with(folder, connections_per_address="2", guests="on", trusted_proxies=proxies) as server:
        async with AsyncExitStack() as stack:
            for number in range(4):
                await stack.enter_async_context(person(server, headers=forwarded(f"192.0.2.{number}")))
            # The left part is what the client itself wrote. The right part is our own proxy.
            for claimed in ("1.1.1.1", "2.2.2.2"):
                await stack.enter_async_context(person(server, headers=forwarded(f"{claimed}, 198.51.100.1, 10.0.0.1")))
            for claimed in ("3.3.3.3", "10.0.0.1"):
                with pytest.raises(Refused) as refused:
                    await stack.enter_async_context(
                        person(server, headers=forwarded(f"{claimed}, 198.51.100.1, 10.0.0.1"))
                    )
                assert refused.value.status == 429
            # All addresses of one customer's network count as one.
            for address in ("2001:db8::1", "[2001:db8::ffff:2]:4711"):
                await stack.enter_async_context(person(server, headers=forwarded(address)))
            with pytest.raises(Refused):
                await stack.enter_async_context(person(server, headers=forwarded("2001:db8:0:0:1::1")))
            await stack.enter_async_context(person(server, headers=forwarded("2001:db8:0:1::1")))
            # Plain requests too, each with its own head.
            async with httpx.AsyncClient(base_url=server.url, verify=False) as proxy:
                assert (await proxy.get("/health/live", headers=forwarded("198.51.100.7"))).status_code == 200
                assert (await proxy.get("/health/live", headers=forwarded("198.51.100.1"))).status_code == 429


# Files.


HALF = b"POST /notify/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"


@pytest.mark.parametrize("begin", [b"", b"GET / HT", ALIVE, HALF], ids=["nothing", "half a head", "one GET", "no body"])
async def test_a_client_that_holds_all_files_takes_none_from_clients_that_are_served(
    small: WebServer, begin: bytes
) -> None:
    room = f"room{len(begin)}"
    async with person(small, room) as alice, AsyncExitStack() as stack:
        await alice.join(room)
        for _ in range(200):
            _, writer = await stack.enter_async_context(link(small))
            writer.write(begin)

        # The database can open its files, and the log is written.
        await alice.say(room, "still here")
        assert await alice.hear(1) == ["still here"]
        page = f"/api/v1/rooms/{room}/messages"
        assert (await until_served(small, page)).json()["messages"][0]["text"] == "still here"


async def until_served(server: WebServer, path: str) -> httpx.Response:
    """Retries: the server may refuse some while it is full, but not for ever."""
    async with asyncio.timeout(DEADLINE):
        while True:
            try:
                async with httpx.AsyncClient(verify=False) as client:
                    response = await client.get(server.url + path)
                if response.status_code == 200:
                    return response
            except httpx.TransportError:
                pass


async def test_thousands_of_half_open_sockets_are_cut_off_in_little_memory(hasty: WebServer) -> None:
    before = memory(hasty)
    async with AsyncExitStack() as stack:
        readers: Sequence[asyncio.StreamReader] = [
            (await stack.enter_async_context(link(hasty)))[0] for _ in range(2000)
        ]
        assert (await ask(hasty)).startswith(b"HTTP/1.1 200 ")
        assert memory(hasty) - before < 40 * MEGABYTE

        assert set(await asyncio.gather(*map(first_line, readers))) == {b""}
