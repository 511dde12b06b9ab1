"""Nothing is left of a connection when it has ended, and its memory is free at once.

The garbage collector looks at old objects only when their number has grown by a quarter. Thousands of ended connections
would wait for it, each with its parser and its buffers.
"""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator

import pytest
from websockets.exceptions import ConnectionClosed

from hubbub import Hubbub
from hubbub.delivery.connection import Connection
from hubbub.delivery.transport import SocketTransport
from hubbub.dispatch.link import Link
from hubbub.settings import Settings
from hubbub.testing import TestServer, serving
from tests.app.test_hubbub import host

DEADLINE = 20.0


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    gc.collect()
    gc.disable()
    try:
        settings = Settings(linger=0)
        hub = Hubbub(guests="auto", page=False, settings=settings)
        async with serving(host(hub), settings=settings) as server:
            yield server
    finally:
        gc.enable()


def left() -> list[object]:
    return [one for one in gc.get_objects() if isinstance(one, (Connection, Link, SocketTransport))]


async def nothing_left() -> None:
    async with asyncio.timeout(DEADLINE):
        while left():  # noqa: ASYNC110 - nobody tells of an object's end
            await asyncio.sleep(0.01)


async def test_nothing_is_left_of_a_closed_connection(server: TestServer) -> None:
    async with server.connect("/ws/chat/lobby?username=alice") as alice:
        await alice.send({"text": "hello", "id": "1"})
        await alice.expect("ack")
        assert len(left()) == 3

    await nothing_left()


async def test_nothing_is_left_of_a_broken_connection(server: TestServer) -> None:
    async with server.connect("/ws/chat/lobby?username=alice") as alice:
        await alice.expect("joined")
        alice.vanish()

    await nothing_left()


async def test_nothing_is_left_of_a_connection_closed_for_a_violation(server: TestServer) -> None:
    async with server.connect("/ws/chat/lobby?username=alice") as alice:
        await alice.expect("joined")
        with contextlib.suppress(ConnectionClosed):
            for _ in range(200):
                await alice.send({"type": "ping"})
            while True:
                await alice.receive()
        assert (await alice.closed())[0] == 1008

    await nothing_left()
