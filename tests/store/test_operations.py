"""Backup, restore and check, while a server runs and while none does."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hubbub.chat.log import RoomLog
from hubbub.chat.log_changes import Author
from hubbub.chat.log_check import check_rooms
from hubbub.errors import ConfigurationError
from hubbub.store.engines import engine_at
from hubbub.store.operations import backup, check, restore, upgrade
from hubbub.store.postgres import Postgres
from hubbub.store.sqlite import SQLite
from tests.store.databases import Opener

ALICE = Author("alice", "Alice")
ROOM = "general"


@pytest.fixture
def engine(tmp_path: Path) -> SQLite:
    return SQLite(tmp_path / "data")


async def test_a_backup_of_a_running_server_is_one_moment_of_it(
    tmp_path: Path, engine: SQLite, open_database: Opener
) -> None:
    log = RoomLog(await open_database(engine))
    await asyncio.gather(*(log.send(ALICE, ROOM, "x" * 1000) for _ in range(300)))
    backing_up = asyncio.ensure_future(asyncio.to_thread(backup, engine, tmp_path / "backup.db"))
    while not backing_up.done():
        await log.send(ALICE, ROOM, "meanwhile")
    await backing_up

    copy = SQLite(tmp_path / "elsewhere")
    restore(copy, tmp_path / "backup.db")

    assert check(copy, check_rooms) == []
    assert (tmp_path / "backup.db").stat().st_mode & 0o077 == 0
    restored = RoomLog(await open_database(copy))
    assert 300 <= (await restored.head(ROOM)).seq <= (await log.head(ROOM)).seq


async def test_a_backup_holds_what_is_only_in_the_log_of_a_killed_server(
    tmp_path: Path, engine: SQLite, open_database: Opener
) -> None:
    database = await open_database(engine)
    await RoomLog(database).send(ALICE, ROOM, "hello")
    killed = SQLite(tmp_path / "killed")
    killed.path.parent.mkdir()
    for suffix in ("", "-wal"):
        killed.path.with_name(killed.path.name + suffix).write_bytes(
            engine.path.with_name(engine.path.name + suffix).read_bytes()
        )

    backup(killed, tmp_path / "backup.db")

    with closing(sqlite3.connect(tmp_path / "backup.db")) as copy:
        assert copy.execute("SELECT text FROM messages").fetchall() == [("hello",)]


async def test_after_a_restore_positions_of_the_lost_life_are_known_as_such(
    tmp_path: Path, engine: SQLite, open_database: Opener
) -> None:
    database = await open_database(engine)
    log = RoomLog(database)
    await log.send(ALICE, ROOM, "in the backup")
    await log.send(ALICE, "quiet", "in the backup")
    backup(engine, tmp_path / "backup.db")
    await log.send(ALICE, ROOM, "lost")
    before = await log.head(ROOM)
    await database.stop()

    replaced = restore(engine, tmp_path / "backup.db")

    assert replaced is not None
    with closing(sqlite3.connect(replaced)) as old:
        assert old.execute("SELECT count(*) FROM messages").fetchone() == (3,)
    restored = RoomLog(await open_database(engine))
    after = await restored.head(ROOM)
    assert (after.seq, after.rev) == (1, 1)
    assert after.epoch != before.epoch
    assert not (await restored.recover(ROOM, before.rev, before.epoch)).recovered
    # The numbers are reached again, by other changes.
    await restored.send(ALICE, ROOM, "another one")
    assert not (await restored.recover(ROOM, before.rev, before.epoch)).recovered
    assert (await restored.recover(ROOM, 1, after.epoch)).recovered
    # Where nothing has changed since, the old positions are as good as ever.
    assert (await restored.recover("quiet", 1, before.epoch)).recovered


async def test_restoring_under_a_running_server_is_refused(
    tmp_path: Path, engine: SQLite, open_database: Opener
) -> None:
    log = RoomLog(await open_database(engine))
    await log.send(ALICE, ROOM, "hello")
    backup(engine, tmp_path / "backup.db")

    with pytest.raises(ConfigurationError, match="another Hubbub"):
        restore(engine, tmp_path / "backup.db")

    assert (await log.send(ALICE, ROOM, "still here")).seq == 2


def test_a_backup_that_is_not_there_and_one_that_is_none_are_told_apart(tmp_path: Path, engine: SQLite) -> None:
    (tmp_path / "notes.txt").write_text("mine")

    with pytest.raises(ConfigurationError, match="there is no file"):
        restore(engine, tmp_path / "backup.db")
    with pytest.raises(ConfigurationError, match="is not a backup"):
        restore(engine, tmp_path / "notes.txt")


def test_a_backup_replaces_no_file(tmp_path: Path, engine: SQLite) -> None:
    upgrade(engine)
    (tmp_path / "notes.txt").write_text("mine")

    with pytest.raises(ConfigurationError, match="exists already"):
        backup(engine, tmp_path / "notes.txt")

    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("content", [b"", b"a shopping list " * 1000, None])
def test_what_is_no_backup_is_not_restored(tmp_path: Path, engine: SQLite, content: bytes | None) -> None:
    upgrade(engine)
    before = engine.path.read_bytes()
    if content is not None:
        (tmp_path / "backup.db").write_bytes(content)

    with pytest.raises(ConfigurationError, match=r"backup\.db"):
        restore(engine, tmp_path / "backup.db")

    assert engine.path.read_bytes() == before
    assert sorted(file.name for file in engine.path.parent.iterdir()) == ["hubbub.db", "lock"]


async def test_a_damaged_file_is_found(engine: SQLite, open_database: Opener) -> None:
    database = await open_database(engine)
    log = RoomLog(database)
    await asyncio.gather(*(log.send(ALICE, ROOM, "x" * 1000) for _ in range(200)))
    await database.stop()
    with engine.path.open("r+b") as file:
        file.seek(engine.path.stat().st_size // 4096 // 2 * 4096)
        file.write(b"\xff" * 4096)

    assert check(engine, check_rooms) != []


def test_where_there_is_no_database_it_says_so(tmp_path: Path, engine: SQLite) -> None:
    with pytest.raises(ConfigurationError, match="there is no database in"):
        check(engine, check_rooms)
    with pytest.raises(ConfigurationError, match="there is no database in"):
        backup(engine, tmp_path / "backup.db")


def test_postgresql_is_backed_up_with_its_own_tools(postgres: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="pg_dump"):
        backup(engine_at(tmp_path, postgres), tmp_path / "backup")
    with pytest.raises(ConfigurationError, match="pg_restore"):
        restore(engine_at(tmp_path, postgres), tmp_path / "backup")


def test_an_address_chooses_the_engine(tmp_path: Path) -> None:
    assert isinstance(engine_at(tmp_path), SQLite)
    assert isinstance(engine_at(tmp_path, "postgres://chat@db/chat"), Postgres)
    with pytest.raises(ConfigurationError, match="postgresql://"):
        engine_at(tmp_path, "mysql://chat@db/chat")
