"""Everybody comes back at once: all are recovered, with no more queries than for a few."""

import asyncio
import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bench.count_queries import number_of_queries
from hubbub.client import Client, Room
from hubbub.wire.rooms import Joined
from tests.chaos.conftest import UNLIMITED
from tests.client.proxy import Proxy
from tests.people import address
from tests.ports import free_port
from tests.servers import REPOSITORY, WebServer

CROWD = 100
MISSED = 50


def counting_server(folder: Path) -> WebServer:
    """`hubbub serve`, which counts its queries."""
    port = free_port()
    command = [sys.executable, "-m", "bench.count_queries", "serve", "--port", str(port)]
    environment = UNLIMITED | {"PYTHONPATH": os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])}
    return WebServer(folder, command, port=port, ready_path="/health/live", environment=environment)


async def is_back(client: Client, room: Room, rev: int) -> bool:
    """Waits until the view is at `rev`. Returns whether it got there without starting over."""
    joined: list[bool] = []
    while (room.view.rev or 0) < rev:
        event = await anext(client)
        if isinstance(event, Joined):
            joined.append(event.recovered)
    return joined[1:] == [True]


@pytest.mark.slow(5)
async def test_a_crowd_that_returns_at_once_is_recovered_by_a_few_queries(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        server = stack.enter_context(counting_server(tmp_path))
        proxy = await stack.enter_async_context(Proxy(server.port))
        bob = await stack.enter_async_context(Client(address(server), username="bob"))
        bobs_hall = await bob.join("hall")
        await bobs_hall.send("welcome")
        crowd: list[tuple[Client, Room]] = []
        for number in range(CROWD):
            guest = Client(proxy.address, username=f"guest {number}")
            await stack.enter_async_context(guest)
            crowd.append((guest, await guest.join("hall")))

        proxy.refuse()
        acks = await asyncio.gather(*(bobs_hall.send(f"message {number}") for number in range(MISSED)))
        rev = max(ack.rev or 0 for ack in acks)
        before = number_of_queries(tmp_path)
        proxy.accept()
        recovered = await asyncio.gather(*(is_back(guest, hall, rev) for guest, hall in crowd))
        queries = number_of_queries(tmp_path) - before

        assert all(recovered)
        while bobs_hall.view.rev != rev:
            await anext(bob)
        for _, hall in crowd:
            assert hall.messages[-MISSED:] == bobs_hall.messages[-MISSED:]
        print(f"{CROWD} clients, {queries} queries")
        # Those who come while a query runs share the next one. On a busy machine their coming takes more queries.
        assert queries < CROWD / 2
    server.check_log()
