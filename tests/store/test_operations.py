"""Backup, restore and check, while a server runs and while none does."""

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hubbub.errors import ConfigurationError
from hubbub.features.messages.log_check import check_rooms
from hubbub.store.engines import engine_at
from hubbub.store.operations import backup, check, restore, upgrade
from hubbub.store.postgres import Postgres
from hubbub.store.sqlite import SQLite
from hubbub.wire.identity import User
from tests.logbook import Logbook
from tests.store.databases import Opener

ALICE = User("alice", "Alice")
ROOM = "general"


@pytest.fixture
def engine(tmp_path: Path) -> SQLite:
    return SQLite(tmp_path / "data")


async def test_a_backup_of_a_running_server_is_one_moment_of_it(
    tmp_path: Path, engine: SQLite, open_database: Opener
) -> None:
    log = Logbook(await open_database(engine))
    await asyncio.gather(*(log.send(ALICE, ROOM, "x" * 1000) for _ in range(300)))
    backing_up = asyncio.ensure_future(asyncio.to_thread(backup, engine, tmp_path / "backup.db"))
    while not backing_up.done():
        await log.send(ALICE, ROOM, "meanwhile")
    await backing_up

    copy = SQLite(tmp_path / "elsewhere")
    restore(copy, tmp_path / "backup.db")

    assert check(copy, check_rooms) == []
    assert (tmp_path / "backup.db").stat().st_mode & 0o077 == 0
    restored = Logbook(await open_database(copy))
    assert 300 <= (await restored.head(ROOM)).seq <= (await log.head(ROOM)).seq


async def test_a_backup_holds_what_is_only_in_the_log_of_a_killed_server(
    tmp_path: Path, engine: SQLite, open_database: Opener
) -> None:
    database = await open_database(engine)
    await Logbook(database).send(ALICE, ROOM, "hello")
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
    log = Logbook(database)
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
    restored = Logbook(await open_database(engine))
    after = await restored.head(ROOM)
    assert (after.seq, after.rev) == (1, 1)
    assert after.epoch != before.epoch
    assert not (await restored.recover(ROOM, before.rev, before.epoch)).recovered
    # The numbers are reached again, by other changes.
    await restored.send(ALICE, ROOM, "another one")
    assert not (await restored.recover(ROOM, before.rev, before.epoch)).recovered
    assert (await restored.recover(ROOM, 1, after.epoch)).recovered
    # If nothing has changed since, the old positions are still valid.
    assert (await restored.recover("quiet", 1, before.epoch)).recovered


async def test_restoring_under_a_running_server_is_refused(
    tmp_path: Path, engine: SQLite, open_database: Opener
) -> None:
    log = Logbook(await open_database(engine))
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


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


async def damage_in_the_middle(engine: SQLite, open_database: Opener) -> None:
    database = await open_database(engine)
    log = Logbook(database)
    await asyncio.gather(*(log.send(ALICE, ROOM, "x" * 1000) for _ in range(200)))
    await database.stop()
    with engine.path.open("r+b") as file:
        file.seek(engine.path.stat().st_size // 4096 // 2 * 4096)
        file.write(b"\xff" * 4096)


async def test_a_damaged_file_is_found(engine: SQLite, open_database: Opener) -> None:
    await damage_in_the_middle(engine, open_database)

    assert check(engine, check_rooms) != []


async def test_of_a_damaged_file_there_is_no_backup(tmp_path: Path, engine: SQLite, open_database: Opener) -> None:
    await damage_in_the_middle(engine, open_database)

    with pytest.raises(ConfigurationError, match="is damaged, so there is no backup"):
        backup(engine, tmp_path / "backup.db")

    assert names(tmp_path) == ["data"]


HEADER = b"SQLite format 3\0"


@pytest.mark.parametrize("content", [b"a shopping list " * 1000, HEADER + b"\xff" * 4080, HEADER])
def test_a_file_that_is_no_database_is_told_in_a_sentence(tmp_path: Path, engine: SQLite, content: bytes) -> None:
    upgrade(engine)
    engine.path.write_bytes(content)

    (problem,) = check(engine, check_rooms)

    assert "is damaged, or is no database of Hubbub's" in problem
    with pytest.raises(ConfigurationError, match="is damaged"):
        backup(engine, tmp_path / "backup.db")


def test_a_file_that_is_cut_off_is_damaged(tmp_path: Path, engine: SQLite) -> None:
    upgrade(engine)
    os.truncate(engine.path, 3 * 4096)

    assert check(engine, check_rooms) != []
    with pytest.raises(ConfigurationError, match="is damaged"):
        backup(engine, tmp_path / "backup.db")


def test_what_cannot_be_checked_is_told_in_a_sentence(engine: SQLite) -> None:
    engine.path.mkdir(parents=True)
    with pytest.raises(ConfigurationError, match="is not a file"):
        check(engine, check_rooms)

    engine.path.rmdir()
    with closing(sqlite3.connect(engine.path)) as foreign:
        foreign.execute("CREATE TABLE shopping (item TEXT)")
    with pytest.raises(ConfigurationError, match="is not a database of Hubbub's"):
        check(engine, check_rooms)


@pytest.mark.parametrize("content", ["nothing", "others' tables"])
def test_of_what_is_no_database_of_ours_there_is_no_backup(tmp_path: Path, engine: SQLite, content: str) -> None:
    engine.path.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(engine.path)) as foreign:
        foreign.execute("CREATE TABLE shopping (item TEXT)")
    if content == "nothing":
        os.truncate(engine.path, 0)

    with pytest.raises(ConfigurationError, match="is not a database of Hubbub's"):
        backup(engine, tmp_path / "backup.db")

    assert not (tmp_path / "backup.db").exists()


def test_a_damaged_version_is_not_taken_for_a_newer_one(engine: SQLite) -> None:
    upgrade(engine)
    with closing(sqlite3.connect(engine.path)) as database:
        query = "SELECT rootpage FROM sqlite_schema WHERE name = 'alembic_version'"
        ((page,),) = database.execute(query).fetchall()
    with engine.path.open("r+b") as file:
        file.seek(page * 4096 - 100)
        file.write(bytes(100))

    with pytest.raises(ConfigurationError, match="is damaged"):
        check(engine, check_rooms)


@pytest.mark.parametrize(("version", "told"), [("0001", "older Hubbub.*hubbub db upgrade"), ("9999", "newer Hubbub")])
def test_another_schema_is_not_taken_for_damage(tmp_path: Path, engine: SQLite, version: str, told: str) -> None:
    upgrade(engine)
    with closing(sqlite3.connect(engine.path)) as database:
        database.execute("UPDATE alembic_version SET version_num = ?", (version,))
        database.commit()

    with pytest.raises(ConfigurationError, match=told):
        check(engine, check_rooms)

    # A database may be backed up before its upgrade.
    backup(engine, tmp_path / "backup.db")


def test_a_folder_that_cannot_be_written_is_told_of(engine: SQLite) -> None:
    upgrade(engine)
    (engine.path.parent / "lock").unlink()
    (engine.path.parent / "lock").mkdir()

    with pytest.raises(ConfigurationError, match="has to be writable"):
        check(engine, check_rooms)


async def test_two_restores_in_one_second_keep_both_databases_that_they_replace(tmp_path: Path, engine: SQLite) -> None:
    upgrade(engine)
    backup(engine, tmp_path / "backup.db")

    asides = {restore(engine, tmp_path / "backup.db") for _ in range(2)}

    assert len(asides) == 2
    assert all(aside is not None and aside.exists() for aside in asides)


def test_a_journal_that_a_killed_program_left_is_not_taken_for_the_restored_file_s(
    tmp_path: Path, engine: SQLite
) -> None:
    upgrade(engine)
    backup(engine, tmp_path / "backup.db")
    journal = engine.path.with_name(engine.path.name + "-journal")
    journal.write_bytes(b"what was to be taken back")

    replaced = restore(engine, tmp_path / "backup.db")

    assert replaced is not None
    assert replaced.with_name(replaced.name + "-journal").read_bytes() == b"what was to be taken back"
    assert check(engine, check_rooms) == []


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
