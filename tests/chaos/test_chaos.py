"""The server is killed at random and connections are cut at random bytes. At the end everything must agree exactly.

`pytest tests/chaos/test_chaos.py` takes a quarter of a minute; `--chaos-seconds 3600` an hour. The seed is printed, and
`--chaos-seed` makes the same decisions again.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from hubbub.client import Client
from tests.chaos.agreement import check_heard, check_room
from tests.chaos.conftest import UNLIMITED, start_again
from tests.chaos.kept import check_integrity, read_room
from tests.chaos.people import Chatter, Memory
from tests.client.proxy import Proxy
from tests.conftest import ServerFactory
from tests.servers import WebServer

NAMES = ("alice", "bob", "carol", "dave", "erin", "frank")
ROOMS = ["hall", "kitchen", "garden"]
CHAOS = 12.0
"""Seconds, unless the command line says otherwise."""
SETTLING = 60.0
"""Seconds in which everybody must reconnect and catch up after the chaos."""


@dataclass
class Report:
    """What happened, and what went wrong."""

    seed: int
    seconds: float
    kills: int
    cuts: int
    deeds: Counter[str]
    lost: int
    doubled: int
    started_over: int

    def __str__(self) -> str:
        deeds = ", ".join(f"{self.deeds[deed]} {deed}" for deed in ("send", "edit", "delete", "react"))
        return (
            f"seed {self.seed}, {self.seconds:.0f} s: {self.kills + 1} rounds, {self.kills} kills, {self.cuts} cuts; "
            f"acks {self.deeds.total()} ({deeds}); lost {self.lost}, doubled {self.doubled}; "
            f"views started over {self.started_over}"
        )


async def kill_again_and_again(server: WebServer, stop_at: float, chance: random.Random) -> int:
    """Kill -9 and start again, the last time before `stop_at`. Returns how often."""
    kills = 0
    while (rest := stop_at - time.monotonic()) > 0:
        await asyncio.sleep(min(rest, chance.uniform(0.1, 4.0)))
        server.kill()
        kills += 1
        await asyncio.to_thread(start_again, server, chance)
    return kills


async def cut_again_and_again(proxies: list[Proxy], stop_at: float, chance: random.Random) -> None:
    """Break one person's connections at a random moment. The proxies also cut them after a number of bytes."""
    while (rest := stop_at - time.monotonic()) > 0:
        await asyncio.sleep(min(rest, chance.expovariate(1.0)))
        chance.choice(proxies).cut()


def allowances(chance: random.Random) -> Callable[[], int | None]:
    """Some connections break in the handshake, some in the welcome, some much later."""
    ranges = ((1, 600), (600, 3_000), (3_000, 100_000), (100_000, 1_000_000))
    return lambda: chance.randint(*chance.choice(ranges))


@pytest.mark.slow(15)
async def test_each_view_the_acks_and_the_database_agree_after_chaos(
    serve: ServerFactory, seed: int, chaos_seconds: float | None
) -> None:
    server = serve(environment=UNLIMITED)
    chance = random.Random(seed)
    memory = Memory()
    began = time.monotonic()
    async with AsyncExitStack() as stack:
        proxies: list[Proxy] = []
        people: list[Chatter] = []
        for name in NAMES:
            proxy = await stack.enter_async_context(Proxy(server.port))
            client = Client(proxy.address, username=name, first_wait=0.02, longest_wait=0.5)
            await stack.enter_async_context(client)
            chatter = Chatter(client, name, memory, seed=f"{seed}/{name}")
            await chatter.enter(ROOMS)
            proxy.allowance = allowances(random.Random(f"{seed}/{name}/cuts"))
            proxies.append(proxy)
            people.append(chatter)

        async with asyncio.TaskGroup() as tasks:
            for chatter in people:
                tasks.create_task(chatter.listen())
            chatting = [tasks.create_task(chatter.chat()) for chatter in people]
            stop_at = began + (chaos_seconds or CHAOS)
            cutting = tasks.create_task(cut_again_and_again(proxies, stop_at, random.Random(f"{seed}/cuts")))
            kills = await kill_again_and_again(server, stop_at, chance)
            await cutting
            for proxy in proxies:
                proxy.allowance = lambda: None
            async with asyncio.timeout(SETTLING):
                for chatter in people:
                    chatter.stop()
                await asyncio.wait(chatting)
                heads = {room: (await people[0].rooms[room].history(limit=1)).rev for room in ROOMS}
                for chatter in people:
                    await chatter.catch_up(heads)
            for chatter in people:
                await chatter.client.close()
    server.stop()

    database = Path(server.folder) / "hubbub-data/hubbub.db"
    check_integrity(database)
    kept = {room: read_room(database, room) for room in ROOMS}
    found = [check_room(kept[room], room, memory) for room in ROOMS]
    for chatter in people:
        for room in ROOMS:
            assert chatter.seen(room) == kept[room].rows
        check_heard(chatter, kept)
    report = Report(
        seed=seed,
        seconds=time.monotonic() - began,
        kills=kills,
        cuts=sum(proxy.cuts for proxy in proxies),
        deeds=memory.deeds,
        lost=sum(lost for lost, _ in found),
        doubled=sum(doubled for _, doubled in found),
        started_over=sum(chatter.started_over for chatter in people),
    )
    print(report)
    assert (report.lost, report.doubled) == (0, 0)
