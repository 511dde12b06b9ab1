"""The transport over plain ASGI messages, between a connection and a server that the test plays.

The one on a socket is tried with real sockets, in tests/server/ and tests/faults/.
"""

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from hubbub.delivery.connection import Connection, State
from hubbub.delivery.fanout import Fanout
from hubbub.delivery.formats import MESSAGE_FORMATS
from hubbub.delivery.transport import HIGH_WATER, MessageTransport
from hubbub.wire.frames import AT_ONCE
from hubbub.wire.identity import User
from tests.delivery.links import Clock, Listener, new_fanout, say, turn

DEADLINE = 20.0
LIMIT = 1024


class Server:
    """An ASGI server's side of one WebSocket: it takes messages while `takes` is set."""

    def __init__(self, fanout: Fanout, codec: str) -> None:
        self.sent: list[MutableMapping[str, Any]] = []
        self.takes = asyncio.Event()
        self.takes.set()
        self.is_gone = False
        self._incoming: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
        self.connection = Connection(fanout, id="alice", user=User("alice", "Alice"), format=MESSAGE_FORMATS[codec])
        self.listener = self.connection.receiver = Listener(self.connection, fanout)
        self.transport = self.connection.transport = MessageTransport(
            self.connection, self._incoming.get, self._send, max_size=LIMIT
        )
        fanout.connect(self.connection)

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        await self.takes.wait()
        if self.is_gone:
            raise ConnectionResetError
        self.sent.append(message)

    @property
    def waiting(self) -> int:
        return self._incoming.qsize()

    def receive(self, **message: Any) -> None:
        self._incoming.put_nowait({"type": "websocket.receive", **message})

    def disconnect(self, **message: Any) -> None:
        self._incoming.put_nowait({"type": "websocket.disconnect", **message})


@asynccontextmanager
async def link(fanout: Fanout | None = None, codec: str = "json") -> AsyncIterator[tuple[Fanout, Server]]:
    """A link that runs, and has ended at the end of the block."""
    fanout = fanout or new_fanout()
    server = Server(fanout, codec)
    running = asyncio.ensure_future(server.transport.run())
    await fanout.subscribe(server.connection, "room:lobby")
    yield fanout, server
    async with asyncio.timeout(DEADLINE):
        await running
    assert not fanout.connections


async def test_events_are_sent_in_order_as_text() -> None:
    async with link() as (fanout, server):
        for number in range(3):
            say(fanout, "room:lobby", str(number))
        await turn(5)
        server.disconnect()

    assert [message["text"] for message in server.sent] == [
        f'{{"type":"said","text":"{number}"}}' for number in range(3)
    ]


async def test_messagepack_is_sent_as_bytes() -> None:
    async with link(codec="msgpack") as (fanout, server):
        say(fanout, "room:lobby", "hello")
        await turn(5)
        server.disconnect()

    assert isinstance(server.sent[0]["bytes"], bytes)


async def test_text_and_bytes_are_handed_over() -> None:
    async with link() as (_, server):
        server.receive(text="Zoë")
        server.receive(bytes=b"\x00")
        await turn(5)
        server.disconnect()

    assert server.listener.heard == [(1, "Zoë".encode()), (2, b"\x00")]


async def test_a_message_over_the_limit_is_closed_with_1009() -> None:
    async with link() as (_, server):
        server.receive(text="é" * LIMIT)

    assert server.sent[-1]["code"] == 1009
    assert not server.listener.heard


async def test_one_that_has_sent_much_already_lets_others_have_their_turn() -> None:
    async with link() as (_, server):
        for _ in range(1000):
            server.receive(text="x")
        heard = []
        while len(server.listener.heard) < 1000:
            heard.append(len(server.listener.heard))
            await turn()
        server.disconnect()

    assert len(heard) >= 1000 // AT_ONCE


async def test_nothing_is_taken_from_one_that_was_closed_for_a_violation() -> None:
    async with link() as (_, server):
        server.takes.clear()
        server.receive(text="x" * (LIMIT + 1))
        for _ in range(1000):
            server.receive(text="x")
        await turn(50)
        left = server.waiting
        server.takes.set()

    assert left == 1000
    assert not server.listener.heard


async def test_a_close_comes_after_what_was_sent_before() -> None:
    async with link() as (fanout, server):
        say(fanout, "room:lobby", "first")
        server.connection.close(1012, "restart")

    assert [message["type"] for message in server.sent] == ["websocket.send", "websocket.close"]
    assert (server.sent[1]["code"], server.sent[1]["reason"]) == (1012, "restart")
    assert server.listener.endings == [(1012, "restart")]


@pytest.mark.parametrize(("said", "told"), [(1001, 1001), (1000, 1000), (1005, 1006), (None, 1006)])
async def test_only_a_code_proves_a_goodbye(said: int | None, told: int) -> None:
    async with link() as (_, server):
        server.disconnect(code=said)

    assert [code for code, _ in server.listener.endings] == [told]


async def test_a_client_that_reads_nothing_is_congested_and_gets_no_more() -> None:
    async with link() as (fanout, server):
        server.takes.clear()
        for number in range(100):
            say(fanout, "room:lobby", f"{number} {'x' * 4000}", position=number)
            await turn()
        assert server.connection.state is State.CONGESTED
        assert server.transport.backlog < 2 * HIGH_WATER

        server.takes.set()
        await turn(200)
        assert server.transport.backlog == 0
        assert len(server.listener.missed) == 1
        assert "room:lobby" in server.listener.missed[0]
        say(fanout, "room:lobby", "again")
        await turn(5)
        server.disconnect()

    assert "again" in server.sent[-1]["text"]


async def test_a_client_that_reads_nothing_for_too_long_is_dropped() -> None:
    clock = Clock(asyncio.get_running_loop())
    async with link(new_fanout(clock=clock, stall=10.0)) as (fanout, server):
        server.takes.clear()
        for _ in range(100):
            say(fanout, "room:lobby", "x" * 4000)
            await turn()

        clock.now += 11
        fanout.deadlines.check()

    assert server.listener.endings == [(1006, "")]


async def test_a_server_that_says_the_client_is_gone_ends_the_link() -> None:
    async with link() as (fanout, server):
        server.is_gone = True
        say(fanout, "room:lobby", "hello?")

    assert server.listener.endings == [(1006, "")]


async def test_a_pause_holds_back_what_the_client_sends() -> None:
    async with link() as (_, server):
        server.transport.pause_reading()
        await turn(3)
        server.receive(text="one")
        server.receive(text="two")
        await turn(5)
        assert len(server.listener.heard) <= 1

        server.transport.resume_reading()
        await turn(5)
        server.disconnect()

    assert [payload for _, payload in server.listener.heard] == [b"one", b"two"]


async def test_a_link_that_is_aborted_before_it_runs_ends_at_once() -> None:
    fanout = new_fanout()
    server = Server(fanout, "json")

    server.connection.abort()
    async with asyncio.timeout(DEADLINE):
        await server.transport.run()

    assert server.listener.endings == [(1006, "")]
