"""PgBouncer in transaction mode: each transaction may get another connection, and must leave no settings on it."""

import asyncio
from collections.abc import Iterator

import psycopg
import pytest

from hubbub.errors import Unavailable
from hubbub.store.postgres import Postgres
from hubbub.store.postgres_connection import Connection
from hubbub.wire.identity import User
from tests import servers
from tests.logbook import Logbook
from tests.servers import PgBouncer
from tests.store.databases import Opener

ALICE = User("alice", "Alice")
SETTINGS = ("enable_seqscan", "plan_cache_mode", "statement_timeout", "lock_timeout", "synchronous_commit")


def settings_of(database: psycopg.Connection[tuple[str]]) -> list[str]:
    values = [database.execute(f"SHOW {name}".encode(), prepare=False).fetchone() for name in SETTINGS]
    return [value[0] for value in values if value is not None]


@pytest.fixture
def pooler(postgres_server: servers.Postgres) -> Iterator[PgBouncer]:
    """A pooler of this test alone, which the test may halt and end."""
    pooler = PgBouncer(postgres_server.port)
    pooler.start()
    yield pooler
    pooler.remove()


async def test_the_settings_hold_in_each_transaction_and_stay_on_no_connection(
    pooled: str, open_database: Opener
) -> None:
    with psycopg.connect(pooled, autocommit=True) as foreign:
        before = settings_of(foreign)
        log = Logbook(await open_database(Postgres(pooled)))
        for turn in range(20):
            await log.send(ALICE, "general", f"{turn}")
            await log.latest("general")
            assert settings_of(foreign) == before

    connection = Connection(pooled, 10, float("inf"))
    connection.begin()
    try:
        assert settings_of(connection.database) == ["off", "force_custom_plan", "10s", "2500ms", "on"]
    finally:
        connection.close()


def test_a_pooler_is_noticed_and_a_direct_connection_sets_everything_once(postgres: str) -> None:
    connection = Connection(postgres, 10, float("inf"))
    try:
        assert settings_of(connection.database) == ["off", "force_custom_plan", "10s", "2500ms", "on"]
    finally:
        connection.close()


async def test_nothing_is_prepared_on_its_connections(pooled: str, open_database: Opener) -> None:
    log = Logbook(await open_database(Postgres(pooled)))
    for turn in range(20):
        await log.send(ALICE, "general", f"{turn}")

    with psycopg.connect(pooled, autocommit=True, prepare_threshold=None) as foreign:
        for _ in range(10):
            assert foreign.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() == (0,)


async def test_a_pooler_that_ends_is_waited_for_and_nothing_is_lost_or_doubled(
    pooler: PgBouncer, postgres: str, open_database: Opener
) -> None:
    log = Logbook(await open_database(Postgres(pooler.before(postgres))))
    sending = [asyncio.create_task(send_many(log, f"user{number}")) for number in range(4)]
    await log.send(ALICE, "general", "before")
    pooler.kill()
    await asyncio.to_thread(pooler.start)

    seqs = [seq for each in await asyncio.gather(*sending) for seq in each]

    assert len(set(seqs)) == 4 * 30
    assert (await log.head("general")).seq == 4 * 30 + 1


async def send_many(log: Logbook, name: str) -> list[int]:
    author = User(name, name)
    return [(await log.send(author, "general", f"{turn}", key=f"key-{turn:05}")).seq for turn in range(30)]


@pytest.mark.slow(10)
async def test_a_pooler_that_is_paused_is_unavailable_in_time(
    pooler: PgBouncer, postgres: str, open_database: Opener
) -> None:
    engine = Postgres(pooler.before(postgres), timeout=5)
    database = await open_database(engine, timeout=5)
    log = Logbook(database)
    await log.send(ALICE, "general", "before")
    await log.latest("general")
    await asyncio.to_thread(pooler.ask, "PAUSE")

    with pytest.raises(Unavailable):
        await asyncio.wait_for(log.send(ALICE, "general", "refused", key="key-00001"), 40)
    with pytest.raises(Unavailable):
        await asyncio.wait_for(log.latest("general"), 40)

    await asyncio.to_thread(pooler.ask, "RESUME")
    await send_until_acked(log, "refused", "key-00001")
    assert [message.text for message in (await log.latest("general")).messages] == ["before", "refused"]


async def send_until_acked(log: Logbook, text: str, key: str) -> None:
    async with asyncio.timeout(40):
        while True:
            try:
                await log.send(ALICE, "general", text, key=key)
            except Unavailable:
                await asyncio.sleep(0.05)
            else:
                return


async def test_one_node_migrates_and_the_others_wait(pooled: str, open_database: Opener) -> None:
    databases = await asyncio.gather(*(open_database(Postgres(pooled)) for _ in range(4)))

    sent = [await Logbook(database).send(ALICE, "general", "hello") for database in databases]

    assert [one.seq for one in sent] == [1, 2, 3, 4]
