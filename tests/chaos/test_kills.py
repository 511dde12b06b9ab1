"""The server is killed with -9 while it stores messages, many times: each acked message is stored once, without gaps.

`--kills 200` on demand.
"""

import asyncio
import random
from pathlib import Path

import pytest

from hubbub.client import Client, Room
from tests.chaos.conftest import UNLIMITED, start_again
from tests.chaos.kept import check_integrity, read_room
from tests.conftest import ServerFactory
from tests.servers import WebServer

SENDERS = 4
ACKS_BETWEEN_KILLS = 30
"""The most acks in one round. The kill comes right after the last one, while others are in flight."""


class Flood:
    """Sends without a pause, several at a time, and keeps the acks by key."""

    def __init__(self) -> None:
        self.acks: dict[str, int] = {}
        self._last = 0
        self._wanted = 0
        self._enough = asyncio.Event()
        self._over = False

    async def send(self, room: Room) -> None:
        while not self._over:
            self._last += 1
            key = f"message-{self._last}"
            ack = await room.send(key, key=key)
            assert ack.seq is not None
            self.acks[key] = ack.seq
            if len(self.acks) >= self._wanted:
                self._enough.set()

    async def more(self, number: int) -> None:
        """Returns when this many more have been acked."""
        self._wanted = len(self.acks) + number
        self._enough.clear()
        await self._enough.wait()

    def stop(self) -> None:
        self._over = True


async def kill(server: WebServer, flood: Flood, times: int, chance: random.Random) -> None:
    for _ in range(times):
        await flood.more(chance.randint(1, ACKS_BETWEEN_KILLS))
        server.kill()
        await asyncio.to_thread(start_again, server, chance)
    await flood.more(1)
    flood.stop()


@pytest.mark.slow(20)
async def test_every_acked_message_is_stored_once_after_each_kill(serve: ServerFactory, seed: int, kills: int) -> None:
    server = serve(environment=UNLIMITED)
    flood = Flood()
    async with Client(f"{server.ws_url}/ws", username="alice", first_wait=0.01, longest_wait=0.1) as alice:
        hall = await alice.join("hall")
        async with asyncio.TaskGroup() as tasks:
            for _ in range(SENDERS):
                tasks.create_task(flood.send(hall))
            tasks.create_task(kill(server, flood, kills, random.Random(seed)))
    server.stop()

    database = Path(server.folder) / "hubbub-data/hubbub.db"
    check_integrity(database)
    kept = read_room(database, "hall")
    assert [(row.key, row.seq) for row in kept.rows] == sorted(flood.acks.items(), key=lambda ack: ack[1])
    assert [row.seq for row in kept.rows] == [row.rev for row in kept.rows] == list(range(1, kept.seq + 1))
    assert kept.rev == kept.seq
    print(f"{kills} kills, {len(flood.acks)} acks, lost 0, doubled 0")
