"""A feature that writes rows with the messages: after each kill, every message has its row, and no row lacks one."""

import asyncio
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hubbub.client import Client
from tests.chaos.conftest import UNLIMITED
from tests.chaos.kept import check_integrity
from tests.chaos.test_kills import ACKS_BETWEEN_KILLS, SENDERS, Flood
from tests.conftest import UvicornFactory
from tests.servers import WebServer

KILLS = 3


async def kill(server: WebServer, flood: Flood, chance: random.Random) -> None:
    for _ in range(KILLS):
        await flood.more(chance.randint(1, ACKS_BETWEEN_KILLS))
        server.kill()
        await asyncio.to_thread(server.start)
    await flood.more(1)
    flood.stop()


@pytest.mark.slow(5)
@pytest.mark.parametrize("deferred_from", ["1", "8"])
async def test_messages_and_a_features_rows_agree_after_each_kill(
    uvicorn: UvicornFactory, seed: int, deferred_from: str
) -> None:
    server = uvicorn("tests.chaos.noting_app:app", environment={**UNLIMITED, "DEFERRED_FROM": deferred_from})
    flood = Flood()
    async with Client(f"{server.ws_url}/ws", username="alice", first_wait=0.01, longest_wait=0.1) as alice:
        hall = await alice.join("hall")
        async with asyncio.TaskGroup() as tasks:
            for _ in range(SENDERS):
                tasks.create_task(flood.send(hall))
            tasks.create_task(kill(server, flood, random.Random(seed)))
    server.stop()

    file = Path(server.folder) / "data/hubbub.db"
    check_integrity(file)
    with closing(sqlite3.connect(file)) as database:
        sent = [rev for (rev,) in database.execute("SELECT rev FROM messages ORDER BY rev")]
        noted = [rev for (rev,) in database.execute("SELECT rev FROM noted ORDER BY rev")]
    assert len(sent) >= len(flood.acks) > KILLS
    assert noted == sent
