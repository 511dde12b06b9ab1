"""The cluster's id tells two databases apart, and stays with each of them."""

import asyncio
import subprocess
from pathlib import Path

from hubbub.store.base import Engine
from hubbub.store.cluster import cluster_id
from hubbub.store.operations import backup, restore
from hubbub.store.postgres import Postgres
from hubbub.store.sqlite import SQLite
from tests import servers
from tests.servers import find_postgres_programs
from tests.store.databases import Opener


async def test_it_is_made_once_and_stays(empty_engine: Engine, open_database: Opener) -> None:
    first = await open_database(empty_engine)
    made = await cluster_id(first)
    assert await cluster_id(first) == made
    await first.stop()

    assert await cluster_id(await open_database(empty_engine)) == made
    assert len(made) == 16


async def test_two_databases_have_two(tmp_path: Path, open_database: Opener) -> None:
    ids = [await cluster_id(await open_database(SQLite(tmp_path / name))) for name in ("one", "two")]

    assert ids[0] != ids[1]


async def test_two_nodes_that_start_at_once_have_the_same(postgres: str, open_database: Opener) -> None:
    nodes = [await open_database(Postgres(postgres)) for _ in range(2)]

    first, second = await asyncio.gather(*(cluster_id(node) for node in nodes))

    assert first == second


async def test_a_restored_backup_has_that_of_the_database_it_was_made_of(tmp_path: Path, open_database: Opener) -> None:
    engine = SQLite(tmp_path / "data")
    database = await open_database(engine)
    made = await cluster_id(database)
    backup(engine, tmp_path / "backup.db")
    await database.stop()
    restore(engine, tmp_path / "backup.db")

    assert await cluster_id(await open_database(engine)) == made


async def test_a_dump_that_is_loaded_elsewhere_is_another_database(
    postgres: str, postgres_server: servers.Postgres, open_database: Opener
) -> None:
    """A test system that has a copy of the real database must not be taken for it."""
    real = await cluster_id(await open_database(Postgres(postgres)))
    copy = postgres_server.create_database()
    programs = find_postgres_programs()
    command = f"{programs}/pg_dump {postgres} | {programs}/psql --quiet {copy}"
    await asyncio.to_thread(subprocess.run, command, shell=True, check=True, capture_output=True)

    loaded = await open_database(Postgres(copy))

    assert await cluster_id(loaded) != real
    await loaded.stop()
    postgres_server.drop_database(copy)
