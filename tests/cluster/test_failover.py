"""PostgreSQL fails over to a standby that lacks the latest messages, under three nodes and their clients."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from typing import NoReturn

import psycopg
import pytest

from hubbub.client import Client, Room
from hubbub.features.messages.log_check import check_rooms
from hubbub.store.operations import check
from hubbub.store.postgres import Postgres as Engine
from tests.cluster.conftest import ENVIRONMENT
from tests.conftest import ServerFactory
from tests.fault_proxy import FaultProxy
from tests.people import address
from tests.servers import MissingError, PgBouncer, Postgres, Redis

MUCH_LONGER = 60.0


class Pair:
    """A PostgreSQL and its standby, and three ways to the one that writes: an address that is moved, an address that
    names both, and PgBouncer."""

    def __init__(self, stack: ExitStack) -> None:
        self.primary = Postgres()
        stack.callback(self.primary.remove)
        self.primary.start()
        direct = self.primary.create_database()
        self.standby = Postgres(standby_of=self.primary)
        stack.callback(self.standby.remove)
        self.standby.start()
        self._proxy = stack.enter_context(FaultProxy(self.primary.port))
        self._pooler = PgBouncer(self.primary.port)
        stack.callback(self._pooler.remove)
        self._pooler.start()
        both = f":{self.primary.port},127.0.0.1:{self.standby.port}"
        self.ways = [
            self._proxy.before(direct),
            direct.replace(f":{self.primary.port}", both) + "?target_session_attrs=read-write",
            self._pooler.before(direct),
        ]
        self.standby_url = direct.replace(f":{self.primary.port}", f":{self.standby.port}")

    def fail_over(self) -> None:
        self.primary.kill()
        self.standby.take_over()
        self._proxy.lead_to(self.standby.port)
        self._pooler.lead_to(self.standby.port)

    def epochs(self) -> list[str]:
        with psycopg.connect(self.standby_url) as database:
            return [row[0] for row in database.execute("SELECT origin FROM epochs ORDER BY number")]


@pytest.fixture
def pair(missing: Callable[[MissingError], NoReturn]) -> Iterator[Pair]:
    with ExitStack() as stack:
        try:
            pair = Pair(stack)
        except MissingError as error:
            missing(error)
        yield pair


async def follow(client: Client, room: Room, texts: list[str]) -> None:
    """Take events until the room's view is this."""
    async with asyncio.timeout(MUCH_LONGER):
        while [message.text for message in room.messages] != texts:
            await anext(client)


@pytest.mark.slow(20)
async def test_a_failover_that_lost_messages_begins_one_epoch_for_all_nodes_whatever_their_way(
    pair: Pair, redis: Redis, serve: ServerFactory
) -> None:
    environment = {**ENVIRONMENT, "HUBBUB_BROKER_URL": redis.url, "HUBBUB_DATABASE_TIMEOUT": "20"}
    nodes = [serve(environment=environment | {"HUBBUB_DATABASE_URL": way}) for way in pair.ways]
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(Client(address(node), username=name, first_wait=0.01, longest_wait=0.1))
            for node, name in zip(nodes, ("alice", "bob", "carol"), strict=True)
        ]
        halls = [await client.join("hall") for client in clients]
        kept = [f"kept {number}" for number in range(5)]
        for text in kept:
            await halls[0].send(text)
        await asyncio.to_thread(pair.standby.wait_for, pair.primary)
        await asyncio.to_thread(pair.standby.stop_following)
        lost = [f"lost {number}" for number in range(5)]
        for text in lost:
            await halls[1].send(text)
        for client, hall in zip(clients, halls, strict=True):
            await follow(client, hall, kept + lost)

        await asyncio.to_thread(pair.fail_over)
        # Nobody says anything, and everybody is told all the same.
        for client, hall in zip(clients, halls, strict=True):
            await follow(client, hall, kept)
        new = [f"new {number}" for number in range(7)]
        for number, text in enumerate(new):
            await halls[number % 3].send(text)
        for client, hall in zip(clients, halls, strict=True):
            await follow(client, hall, kept + new)

        assert len({hall.view.epoch for hall in halls}) == 1
    assert await asyncio.to_thread(pair.epochs) == ["new", "failover"]
    assert check(Engine(pair.standby_url), check_rooms) == []
