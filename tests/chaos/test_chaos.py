"""The server is killed at random and connections are cut at random bytes. At the end everything must agree exactly.

`pytest tests/chaos/test_chaos.py` takes about a minute; `--chaos-seconds 3600` an hour. The seed is printed, and
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
from tests.chaos.conftest import UNLIMITED, start_again
from tests.chaos.kept import KeptRoom, check_integrity, read_room
from tests.chaos.people import Chatter, Memory
from tests.client.proxy import Proxy
from tests.conftest import ServerFactory
from tests.servers import WebServer

NAMES = ("alice", "bob", "carol", "dave", "erin", "frank")
ROOMS = ["hall", "kitchen", "garden"]
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


def check_room(kept: KeptRoom, room: str, memory: Memory) -> tuple[int, int]:
    """Compare the acks with the database. Returns how many messages are lost, and how many are duplicated."""
    acked = {said.seq: said for said in memory.said.values() if said.room == room}
    keys = {row.key for row in kept.rows}
    lost = sum(said.key not in keys for said in acked.values())
    # At the end everything is acked, so a message without an ack was stored twice.
    doubled = sum(row.seq not in acked for row in kept.rows)

    assert [row.seq for row in kept.rows] == list(range(1, kept.seq + 1))
    assert len({row.rev for row in kept.rows}) == len(kept.rows)
    assert max(row.rev for row in kept.rows) <= kept.rev
    # Each change took one rev, and each rev has a change. Changes whose acks were lost are counted too.
    assert 0 <= kept.rev - memory.changes[room] <= memory.unclear[room]

    reactions_to: dict[int, set[tuple[int, str, str]]] = {}
    for reaction in kept.reactions:
        reactions_to.setdefault(reaction[0], set()).add(reaction)
    for row in kept.rows:
        said = acked.get(row.seq)
        if said is None:
            continue
        assert (row.key, row.user, row.ts) == (said.key, said.user, said.ts)
        assert row.text == memory.texts[said.key]
        assert row.deleted is (said.key in memory.deleted)
        assert row.edited is (said.key in memory.edited and not row.deleted)
        shown = {(row.seq, emoji, user) for emoji, users in row.reactions for user in users}
        assert shown == reactions_to.get(row.seq, set())
    deleted = {row.seq for row in kept.rows if row.deleted}
    acked_reactions = {
        (seq, emoji, user) for (key, seq, emoji, user), on in memory.reactions.items() if on and key == room
    }
    assert kept.reactions == {reaction for reaction in acked_reactions if reaction[0] not in deleted}
    return lost, doubled


def check_heard(chatter: Chatter, kept: dict[str, KeptRoom]) -> None:
    """A client that never had to start over gave each message once."""
    times = Counter(chatter.heard)
    assert max(times.values()) == 1
    if not chatter.started_over:
        assert set(times) == {(room, row.seq) for room, of_room in kept.items() for row in of_room.rows}


@pytest.mark.slow(64)
async def test_each_view_the_acks_and_the_database_agree_after_chaos(
    serve: ServerFactory, seed: int, chaos_seconds: float
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
            stop_at = began + chaos_seconds
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
