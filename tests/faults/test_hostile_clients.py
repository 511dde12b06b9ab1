"""A slow or hostile client does not harm the others, and memory stays bounded."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import struct
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from websockets import frames as peer
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.uri import parse_uri

from hubbub.wire.commands import CommandTable
from tests.people import Refused, person
from tests.servers import WebServer, hubbub_server, watched

DEADLINE = 30.0
MEGABYTE = 2**20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """With short deadlines, and the default limits."""
    environment = {
        "HUBBUB_STALL_TIMEOUT": "2",
        "HUBBUB_STALL_PATIENCE": "4",
        "HUBBUB_CLOSE_TIMEOUT": "2",
        "HUBBUB_HEAD_TIMEOUT": "1",
        "HUBBUB_LINGER": "1",
    }
    yield from watched(hubbub_server(tmp_path_factory.mktemp("hostile"), environment=environment))


@pytest.fixture(scope="module")
def generous(server: WebServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """Without limits on commands, to test the transport."""
    environment = {**server.environment, "HUBBUB_RATE": "100000", "HUBBUB_BURST": "100000"}
    yield from watched(hubbub_server(tmp_path_factory.mktemp("generous"), environment=environment))


@pytest.fixture(scope="module")
def forgetful(generous: WebServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """Also without a database, because its cache grows with each message and hides other growth."""
    environment = {**generous.environment, "HUBBUB_DATABASE_URL": "none"}
    yield from watched(hubbub_server(tmp_path_factory.mktemp("forgetful"), environment=environment))


@pytest.fixture(scope="module")
def strict(server: WebServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """With low limits, which are reached quickly."""
    limits = {"HUBBUB_RATE": "5", "HUBBUB_BURST": "5", "HUBBUB_VIOLATIONS": "5"}
    environment = {**server.environment, **limits}
    yield from watched(hubbub_server(tmp_path_factory.mktemp("strict"), environment=environment))


@pytest.fixture(scope="module")
def patient(server: WebServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """Waits long for the answer to its close frame, so that the test sees what it still reads."""
    environment = {**server.environment, "HUBBUB_CLOSE_TIMEOUT": "20", "HUBBUB_DRAIN_TIMEOUT": "1"}
    yield from watched(hubbub_server(tmp_path_factory.mktemp("patient"), environment=environment))


def processor_time(server: WebServer) -> float:
    """The CPU seconds of a server's process. Unlike a latency, they do not depend on other load."""
    user, system = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def memory(server: WebServer) -> int:
    """The resident memory of a server's process, in bytes."""
    pages = int(Path(f"/proc/{server.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


class Attacker:
    """A client that sends anything, and reads only when the test says so."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, compress: bool) -> None:
        self._reader, self._writer = reader, writer
        extensions = [ClientPerMessageDeflateFactory()] if compress else None
        self._protocol = ClientProtocol(parse_uri("ws://127.0.0.1/ws"), extensions=extensions, max_size=None)

    async def shake_hands(self, path: str, port: int) -> None:
        request = self._protocol.connect()
        request.path = path
        del request.headers["Host"]
        request.headers["Host"] = f"127.0.0.1:{port}"
        self._protocol.send_request(request)
        self.write(b"".join(self._protocol.data_to_send()))
        await self.event("welcome")

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    def send(self, opcode: int, data: bytes = b"", *, fin: bool = True, reserved: int = 0) -> None:
        serialized = peer.Frame(peer.Opcode(opcode), data, fin).serialize(mask=True)
        self.write(bytes((serialized[0] | reserved,)) + serialized[1:])

    async def drain(self) -> None:
        await self._writer.drain()

    async def event(self, type: str) -> None:
        async for event in self.events():
            if event["type"] == type:
                return
        raise EOFError(f"the link ended before {type}")

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        async for frame in self._frames():
            if frame.opcode == peer.Opcode.TEXT:
                yield json.loads(bytes(frame.data))

    async def joined(self, number: int) -> AsyncIterator[None]:
        async for event in self.events():
            if event["type"] == "joined":
                yield
                number -= 1
            if not number:
                return

    async def close_code(self, *, within: float = DEADLINE) -> int | None:
        """Read until the link ends. Returns the code of the close frame, None if there was none."""
        code = None
        async for frame in self._frames(within):
            if frame.opcode == peer.Opcode.CLOSE:
                code = peer.Close.parse(bytes(frame.data)).code
        return code

    async def _frames(self, within: float = DEADLINE) -> AsyncIterator[peer.Frame]:
        async with asyncio.timeout(within):
            while True:
                try:
                    data = await self._reader.read(65_536)
                except ConnectionResetError:
                    return
                if not data:
                    return
                self._protocol.receive_data(data)
                for event in self._protocol.events_received():
                    if isinstance(event, peer.Frame):
                        yield event


@asynccontextmanager
async def attacker(server: WebServer, path: str = "/ws", *, compress: bool = False) -> AsyncIterator[Attacker]:
    sock = socket.socket()
    # Otherwise the kernel buffers about half a megabyte for a client that reads nothing.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * 1024)
    sock.connect(("127.0.0.1", server.port))
    reader, writer = await asyncio.open_connection(sock=sock)
    try:
        mallory = Attacker(reader, writer, compress=compress)
        await mallory.shake_hands(path, server.port)
        yield mallory
    finally:
        writer.transport.abort()


# Frames that nobody should send.

TEXT, BINARY, CONTINUATION, PING, PONG = 1, 2, 0, 9, 10

WRONG_FRAMES = {
    "unmasked": (peer.Frame(peer.Opcode.TEXT, b"{}").serialize(mask=False), 1002),
    "a reserved bit": (b"\xa1\x80mask", 1002),
    "a reserved opcode": (b"\x83\x80mask", 1002),
    "a fragmented ping": (b"\x09\x80mask", 1002),
    "text that is no UTF-8": (peer.Frame(peer.Opcode.TEXT, b"\xff\xfe").serialize(mask=True), 1007),
    "a frame over the limit": (b"\x81\xff" + struct.pack("!Q", 64 * 1024 + 1) + b"mask", 1009),
    "a length of one tebibyte": (b"\x82\xff" + struct.pack("!Q", 2**40) + b"mask", 1009),
    "a length of all ones": (b"\x82\xff" + b"\xff" * 8 + b"mask", 1009),
}


@pytest.mark.parametrize("name", WRONG_FRAMES)
async def test_a_wrong_frame_is_closed_with_its_code_at_once_in_little_memory(server: WebServer, name: str) -> None:
    data, code = WRONG_FRAMES[name]
    async with attacker(server) as mallory:
        before = memory(server)

        mallory.write(data)

        assert await mallory.close_code() == code
        assert memory(server) - before < 10 * MEGABYTE


async def test_endless_fragments_are_closed_with_1009_in_little_memory(server: WebServer) -> None:
    async with attacker(server) as mallory:
        before = memory(server)
        mallory.send(TEXT, b"x", fin=False)
        for _ in range(200):
            mallory.send(CONTINUATION, b"x" * 1000, fin=False)

        assert await mallory.close_code() == 1009
        assert memory(server) - before < 10 * MEGABYTE


async def test_endless_empty_fragments_are_closed(server: WebServer) -> None:
    async with attacker(server) as mallory:
        mallory.send(TEXT, b"", fin=False)
        for _ in range(5000):
            mallory.send(CONTINUATION, b"", fin=False)

        assert await mallory.close_code() == 1009


async def test_a_compression_bomb_is_closed_with_1009_in_little_memory(server: WebServer) -> None:
    compressor = zlib.compressobj(9, wbits=-15)
    bomb = (compressor.compress(bytes(50_000_000)) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]
    async with attacker(server, compress=True) as mallory:
        before = memory(server)

        mallory.send(TEXT, bomb, reserved=0x40)

        assert await mallory.close_code() == 1009
        assert memory(server) - before < 10 * MEGABYTE


# Too much of it.


async def test_a_client_that_sends_too_fast_is_told_and_then_closed_with_1008(server: WebServer) -> None:
    async with person(server) as mallory:
        try:
            for number in range(3000):
                await mallory.send({"type": "ping", "id": str(number)})
        except ConnectionClosed:
            pass
        code, _ = await mallory.ended()

    assert code == 1008
    errors = mallory.of_type("error")
    assert {error["code"] for error in errors} == {"rate_limited"}
    assert all(error["retry_after"] > 0 for error in errors)
    assert errors[0]["command"] == "ping"
    assert errors[0]["id"].isdigit()


async def test_a_client_that_sends_wrong_frames_too_fast_is_closed_too(server: WebServer) -> None:
    async with person(server) as mallory:
        try:
            for _ in range(3000):
                await mallory.type("{")
        except ConnectionClosed:
            pass

        assert (await mallory.ended())[0] == 1008


def deflated(data: bytes) -> bytes:
    compressor = zlib.compressobj(9, wbits=-15)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


def masked(opcode: int, data: bytes = b"", *, fin: bool = True, reserved: int = 0) -> bytes:
    serialized = peer.Frame(peer.Opcode(opcode), data, fin).serialize(mask=True)
    return bytes((serialized[0] | reserved,)) + serialized[1:]


EMPTY_FRAGMENTS = masked(TEXT, fin=False) + masked(CONTINUATION, fin=False) * 4000 + masked(CONTINUATION)
FLOODS = {
    "small bombs": masked(TEXT, deflated(b"x" * 65_000), reserved=0x40) * 60_000,
    "small bombs of brackets": masked(TEXT, deflated(b"[" + b"[]," * 21_000 + b"[]]"), reserved=0x40) * 20_000,
    "large texts": masked(TEXT, b'{"type": "ping", "x": "' + b"x" * 65_000 + b'"}') * 200,
    "pings": masked(PING) * 600_000,
    "pongs": masked(PONG) * 600_000,
    "empty texts": masked(TEXT, b"{}") * 600_000,
    "what is not JSON": masked(TEXT, b"{" * 100) * 60_000,
    "messages in four thousand fragments": EMPTY_FRAGMENTS * 200,
}


@pytest.mark.parametrize("name", FLOODS)
async def test_a_flood_costs_the_server_little_time_and_memory(patient: WebServer, name: str) -> None:
    async with attacker(patient, compress=True) as mallory:
        memory_before, time_before = memory(patient), processor_time(patient)
        mallory.write(FLOODS[name])
        code: int | None = None
        with contextlib.suppress(TimeoutError):
            code = await mallory.close_code(within=4.0)

        assert code in {1008, None}
        assert processor_time(patient) - time_before < 0.6
        assert memory(patient) - memory_before < 20 * MEGABYTE


@pytest.mark.parametrize("name", ["a reserved opcode", "text that is no UTF-8", "a length of one tebibyte"])
async def test_nothing_is_parsed_after_a_violation(server: WebServer, name: str) -> None:
    data, code = WRONG_FRAMES[name]
    async with attacker(server, compress=True) as mallory:
        before = processor_time(server)
        mallory.write(data + FLOODS["small bombs"])

        assert await mallory.close_code() == code
        assert processor_time(server) - before < 1.0


async def test_every_command_that_came_while_the_server_was_frozen_is_answered(strict: WebServer) -> None:
    async with person(strict, "alice") as alice:
        await alice.join("ice")
        strict.signal(signal.SIGSTOP)
        try:
            for number in range(20):
                await alice.send({"type": "message", "room": "ice", "text": str(number)})
                await asyncio.sleep(0.2)  # as fast as it may
        finally:
            strict.signal(signal.SIGCONT)

        assert await alice.hear(20) == [str(number) for number in range(20)]
        assert not alice.of_type("error")


async def test_a_client_that_sends_one_command_at_a_time_and_waits_as_told_is_not_closed(strict: WebServer) -> None:
    async with person(strict) as alice:
        refused = 0
        while refused < 15:
            answer = await alice.ask({"type": "ping"})
            if answer["type"] == "error":
                refused += 1
                await asyncio.sleep(answer["retry_after"] / 1000)


async def test_a_client_that_asks_for_many_large_pages_is_not_read_from_until_they_are_paid(strict: WebServer) -> None:
    async with person(strict, "alice") as alice:
        await alice.join("large")
        for _ in range(8):
            while (answer := await alice.say("large", "😀" * 4000))["type"] == "error":  # noqa: ASYNC110 - as it is told
                await asyncio.sleep(answer["retry_after"] / 1000)

    async with attacker(strict) as mallory:
        for _ in range(5):
            mallory.send(TEXT, b'{"type": "join", "room": "large", "limit": 200}')
        arrived = [asyncio.get_running_loop().time() async for _ in mallory.joined(5)]

    # Each is 128 KB, two thirds of the work that is done at once; the next three take two thirds of a second each.
    assert arrived[-1] - arrived[0] > 1.0


async def flood(mallory: Attacker, frames: bytes) -> None:
    """Send without reading, until the server cuts the link. Raises TimeoutError if it doesn't."""
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(DEADLINE):
            while True:
                mallory.write(frames)
                await mallory.drain()


async def test_a_ping_flood_without_reading_is_cut_in_little_memory(server: WebServer) -> None:
    async with attacker(server) as mallory:
        before = memory(server)
        ping = peer.Frame(peer.Opcode.PING, b"p" * 125).serialize(mask=True) * 500
        await flood(mallory, ping)

        assert memory(server) - before < 10 * MEGABYTE


async def test_a_ping_flood_without_a_limit_on_commands_is_paused_in_little_memory(generous: WebServer) -> None:
    async with attacker(generous) as mallory, person(generous, "alice") as alice:
        before = memory(generous)
        ping = peer.Frame(peer.Opcode.PING, b"p" * 125).serialize(mask=True) * 500
        await flood(mallory, ping)
        await alice.catch_up()

        assert memory(generous) - before < 10 * MEGABYTE


async def test_commands_whose_answers_are_not_read_are_held_back_in_little_memory(generous: WebServer) -> None:
    async with attacker(generous) as mallory, person(generous, "alice") as alice:
        before = memory(generous)
        frame = json.dumps({"type": "ping", "id": "i" * 64}).encode()
        commands = peer.Frame(peer.Opcode.TEXT, frame).serialize(mask=True) * 500
        await flood(mallory, commands)
        await alice.catch_up()

        assert memory(generous) - before < 10 * MEGABYTE


# While it sleeps, others send some thousand messages, 4 MB and more. A server that kept them for it would grow.
@pytest.mark.parametrize(("name", "megabytes"), [("generous", 20), ("forgetful", 2)])
async def test_a_client_that_stops_reading_is_dropped_soon_and_the_others_notice_nothing(
    request: pytest.FixtureRequest, name: str, megabytes: int
) -> None:
    server: WebServer = request.getfixturevalue(name)
    async with person(server, "alice") as alice, person(server, "bob") as bob, attacker(server) as sleepy:
        await alice.join("busy")
        await bob.join("busy")
        sleepy.send(TEXT, b'{"type": "join", "room": "busy"}')
        await sleepy.event("joined")
        before = most = memory(server)

        said = 0
        async with asyncio.timeout(DEADLINE):
            while not bob.of_type("leave"):
                await alice.say("busy", f"{said} {'x' * 3900}")
                said += 1
                await bob.catch_up()
                most = max(most, memory(server))

        assert bob.texts == [f"{number} {'x' * 3900}" for number in range(len(bob.texts))]
        assert len(bob.texts) >= said
        assert most - before < megabytes * MEGABYTE
        assert "bytes not read" in server.log


async def test_a_congested_client_that_reads_again_gets_what_it_missed(generous: WebServer) -> None:
    async with person(generous, "alice") as alice, attacker(generous, "/ws?username=slow") as slow:
        await alice.join("tide")
        slow.send(TEXT, b'{"type": "join", "room": "tide"}')
        await slow.event("joined")

        # More than the kernel's buffer and the server's high-water mark.
        for number in range(150):
            await alice.send({"type": "message", "id": str(number), "room": "tide", "text": f"{number} {'x' * 3900}"})
        await alice.gather("ack", 150)
        seen: set[int] = set()
        synced = False
        async for event in slow.events():
            synced |= event["type"] == "sync"
            rows = event.get("messages", [event] if event["type"] == "message" else [])
            seen |= {int(row["text"].split()[0]) for row in rows}
            if len(seen) == 150:
                break

    assert seen == set(range(150))
    assert synced, "it was never left behind"


async def test_a_thousand_sockets_of_one_address_are_refused_and_the_first_ones_stay_open(server: WebServer) -> None:
    async with AsyncExitStack() as stack:
        refusals: list[Refused] = []
        first = await stack.enter_async_context(person(server))

        async def come() -> None:
            try:
                await stack.enter_async_context(person(server))
            except Refused as refused:
                refusals.append(refused)

        for _ in range(210):
            await come()
        assert 10 <= len(refusals) <= 15
        assert {refused.status for refused in refusals} == {429}
        await first.catch_up()


async def test_half_a_handshake_and_an_idle_link_are_closed(server: WebServer) -> None:
    for data in (b"", b"GET /ws HTTP/1.1\r\nHost: loc", b"GET / HTTP/1.1\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(data)
        async with asyncio.timeout(DEADLINE):
            assert await reader.read() == b""
        writer.close()


# Random commands.

TYPES = sorted(model.type_name() for model in CommandTable())
junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
fields = {
    "room": st.sampled_from(["lobby", "Lobby", "other", "no key", ""]) | junk,
    "text": st.text(max_size=50) | junk,
    "topic": st.sampled_from(["orders", "orders.*", "*"]) | junk,
    "rooms": st.lists(st.fixed_dictionaries({"room": st.sampled_from(["lobby", "a", "b"])}), max_size=3) | junk,
    "rev": st.integers(-1, 2**60) | junk,
    "seq": st.integers(-1, 2**60) | junk,
    "before": st.integers(-1, 2**60) | junk,
    "after": st.integers(-1, 2**60) | junk,
    "limit": st.integers(-1, 300) | junk,
    "epoch": st.text(max_size=70) | junk,
    "emoji": st.sampled_from(["👍", "nice", ""]) | junk,
    "active": st.booleans() | junk,
    "on": st.booleans() | junk,
    "key": st.text(min_size=8, max_size=64) | junk,
    "reply_to": st.integers(-1, 2**60) | junk,
    "data": junk,
}
commands = st.fixed_dictionaries({"type": st.sampled_from(TYPES) | junk}, optional=fields)


@given(st.lists(commands, min_size=1, max_size=12))
# Shrinking a failing case would wait for a server's deadline at each attempt.
@settings(max_examples=25, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_each_random_command_is_answered_and_the_connection_stays_open(
    generous: WebServer, frames: list[dict[str, object]]
) -> None:
    asyncio.run(converse(generous, frames))


async def converse(server: WebServer, frames: list[dict[str, object]]) -> None:
    async with person(server) as somebody:
        await somebody.join("lobby")
        for number, frame in enumerate(frames):
            await somebody.type(json.dumps({**frame, "id": f"f{number}"}))
        wanted = {f"f{number}" for number, frame in enumerate(frames) if frame["type"] != "pong"}
        while not wanted <= {event.get("id") for event in somebody.seen}:
            await somebody.next()
        await somebody.catch_up()
    internal = [event for event in somebody.of_type("error") if event["code"] == "internal"]
    assert not internal
    assert "Traceback" not in server.log


# Texts that have a meaning in other programs.

STRANGE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{7*7}} ${7*7} %s %n",
    "\u202etxt.exe",
    "\u2066left\u2069 \u200fright",
    "😀" * 4000,
    "e" + "\u0301" * 3000,
    "&lt;b&gt; \\u003c",
    "line one\nline two\ttabbed",
    "'; DROP TABLE messages; --",
]


@pytest.mark.parametrize("text", STRANGE, ids=lambda text: ascii(text[:20]))
async def test_a_text_arrives_as_it_was_written(generous: WebServer, text: str) -> None:
    async with person(generous, "alice") as alice, person(generous, "bob", subprotocol="hubbub.v1.msgpack") as bob:
        await alice.join("words")
        await bob.join("words")

        await alice.say("words", text)

        assert await alice.hear(1) == await bob.hear(1) == [text]
