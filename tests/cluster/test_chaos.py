"""Three nodes behind nginx, on PostgreSQL and Redis. Nodes are killed and frozen, Redis is killed, and lines fail.

At the end the views, the acks, the people online and the database must agree exactly.

`pytest tests/cluster/test_chaos.py` takes a minute; `--chaos-seconds 3600` an hour. The seed is printed, and
`--chaos-seed` makes the same decisions again.
"""

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import NoReturn

import pytest

from hubbub.client import Client
from tests.behind_nginx import NODES, documented_configuration
from tests.chaos.agreement import check_heard, check_room
from tests.chaos.conftest import UNLIMITED
from tests.chaos.kept import read_room_of_postgres
from tests.chaos.people import Chatter, Memory
from tests.fault_proxy import FaultProxy
from tests.ports import free_port
from tests.servers import MissingError, Nginx, Redis, WebServer, hubbub_server

NAMES = ("alice", "bob", "carol", "dave", "erin", "frank")
ROOMS = ["hall", "kitchen", "garden"]
CHAOS = 40.0
"""Seconds, unless the command line says otherwise."""
SETTLING = 60.0
"""Seconds in which everybody must reconnect and catch up after the chaos, and see who is online."""
LONGEST_FAULT = 4.0


class Cluster:
    """Three nodes, each with a line of its own to Redis that can fail."""

    def __init__(self, folder: Path, database: str, stack: ExitStack) -> None:
        self.database = database
        redis_folder = folder / "redis"
        redis_folder.mkdir()
        self.redis = stack.enter_context(Redis(redis_folder))
        self.lines = [stack.enter_context(FaultProxy(self.redis.port)) for _ in range(NODES)]
        self.nodes: list[WebServer] = []
        for number, line in enumerate(self.lines):
            own = folder / f"node-{number}"
            own.mkdir()
            environment = {
                **UNLIMITED,
                "HUBBUB_DATABASE_URL": database,
                "HUBBUB_BROKER_URL": f"redis://127.0.0.1:{line.port}",
                "HUBBUB_BROKER_TIMEOUT": "1",
                "HUBBUB_GUESTS": "on",
                "HUBBUB_TRUSTED_PROXIES": '["127.0.0.1"]',
            }
            self.nodes.append(stack.enter_context(hubbub_server(own, environment=environment)))
        port = free_port()
        configuration = documented_configuration(port, [node.port for node in self.nodes])
        self.nginx = stack.enter_context(Nginx(folder, configuration, port=port))


class Faults:
    """Does one thing after the other to a cluster, and undoes each."""

    def __init__(self, cluster: Cluster, chance: random.Random) -> None:
        self._cluster = cluster
        self._random = chance
        self.done: Counter[str] = Counter()

    async def go_on(self, stop_at: float) -> None:
        faults: list[Callable[[], Awaitable[None]]] = [
            self.kill_a_node,
            self.freeze_a_node,
            self.break_a_line,
            self.break_a_line,
            self.cut_a_line,
            self.kill_redis,
        ]
        while time.monotonic() < stop_at:
            await asyncio.sleep(self._random.uniform(0.1, 2.0))
            fault = self._random.choice(faults)
            self.done[fault.__name__] += 1
            await fault()

    async def kill_a_node(self) -> None:
        node = self._random.choice(self._cluster.nodes)
        node.kill()
        await self._last()
        await asyncio.to_thread(node.start)

    async def freeze_a_node(self) -> None:
        node = self._random.choice(self._cluster.nodes)
        node.signal(signal.SIGSTOP)
        try:
            await self._last()
        finally:
            node.signal(signal.SIGCONT)

    async def break_a_line(self) -> None:
        line = self._random.choice(self._cluster.lines)
        self._random.choice([line.freeze, line.swallow, line.swallow_requests, line.swallow_answers])()
        try:
            await self._last()
        finally:
            line.swallow(on=False)
            line.thaw()

    async def cut_a_line(self) -> None:
        self._random.choice(self._cluster.lines).cut()

    async def kill_redis(self) -> None:
        self._cluster.redis.kill()
        await self._last()
        await asyncio.to_thread(self._cluster.redis.start)

    async def _last(self) -> None:
        await asyncio.sleep(self._random.uniform(0.1, LONGEST_FAULT))


@pytest.fixture
def cluster(tmp_path: Path, postgres: str, missing: Callable[[MissingError], NoReturn]) -> Iterator[Cluster]:
    with ExitStack() as stack:
        try:
            cluster = Cluster(tmp_path, postgres, stack)
        except MissingError as error:
            missing(error)
        yield cluster


async def everybody_is_online(people: list[Chatter]) -> None:
    """Returns when everybody is shown that everybody is in each room, and nobody besides."""
    names = set(NAMES)
    while not all(set(chatter.rooms[room].view.people) == names for chatter in people for room in ROOMS):  # noqa: ASYNC110
        await asyncio.sleep(0.1)  # a view has no event for it


@pytest.mark.slow(60)
async def test_views_acks_presence_and_the_database_agree_after_chaos_on_three_nodes(
    cluster: Cluster, seed: int, chaos_seconds: float | None
) -> None:
    faults = Faults(cluster, random.Random(seed))
    memory = Memory()
    began = time.monotonic()
    async with AsyncExitStack() as stack:
        people: list[Chatter] = []
        for name in NAMES:
            address = f"ws://127.0.0.1:{cluster.nginx.port}/ws"
            client = Client(address, username=name, first_wait=0.02, longest_wait=0.5)
            await stack.enter_async_context(client)
            chatter = Chatter(client, name, memory, seed=f"{seed}/{name}")
            await chatter.enter(ROOMS)
            people.append(chatter)

        async with asyncio.TaskGroup() as tasks:
            for chatter in people:
                tasks.create_task(chatter.listen())
            chatting = [tasks.create_task(chatter.chat()) for chatter in people]
            await faults.go_on(began + (chaos_seconds or CHAOS))
            async with asyncio.timeout(SETTLING):
                for chatter in people:
                    chatter.stop()
                await asyncio.wait(chatting)
                heads = {room: (await people[0].rooms[room].history(limit=1)).rev for room in ROOMS}
                for chatter in people:
                    await chatter.catch_up(heads)
                await everybody_is_online(people)
            for chatter in people:
                await chatter.client.close()

    kept = {room: read_room_of_postgres(cluster.database, room) for room in ROOMS}
    found = [check_room(kept[room], room, memory) for room in ROOMS]
    for chatter in people:
        for room in ROOMS:
            assert chatter.seen(room) == kept[room].rows
        check_heard(chatter, kept)
    print(
        f"seed {seed}, {time.monotonic() - began:.0f} s: {dict(faults.done)}; acks {memory.deeds.total()} "
        f"({dict(memory.deeds)}); views started over {sum(chatter.started_over for chatter in people)}"
    )
    assert [(lost, doubled) for lost, doubled in found] == [(0, 0)] * len(ROOMS)
