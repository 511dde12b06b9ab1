"""SQLite's own troubles: a full disk, foreign locks, a second server, and what deleting leaves behind."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from hubbub.errors import ConfigurationError, Unavailable
from hubbub.features.messages.log_check import check_rooms
from hubbub.store import sqlite as sqlite_module
from hubbub.store.base import Transaction
from hubbub.store.database import Database
from hubbub.store.operations import check
from hubbub.store.sqlite import SQLite
from tests.servers import REPOSITORY
from tests.store.databases import ADD_USERS, USERS, Opener, run_sql

DEADLINE = 30


async def fill(database: Database) -> tuple[int, Unavailable]:
    """Write until a write is refused. Returns how many were stored."""
    for number in range(10_000):
        try:
            await database.write(add, f"{number:03}" * 1000)
        except Unavailable as error:
            return number, error
    raise AssertionError("it never filled")


def add(transaction: Transaction, names: Sequence[str]) -> list[None]:
    transaction.run(ADD_USERS, added=[(name,) for name in names])
    return [None] * len(names)


def users(transaction: Transaction) -> list[str]:
    return [row[0] for row in transaction.rows(USERS)]


async def test_a_full_disk_acks_nothing_and_is_recovered_from(tmp_path: Path, open_database: Opener) -> None:
    database = await open_database(SQLite(tmp_path, most_pages=60))
    kept, refusal = await fill(database)
    assert "full" in refusal.message
    assert len(await database.read(users)) == kept

    await database.write(run_sql, "DELETE FROM users")

    await database.write(add, "alice")
    assert await database.read(users) == ["alice"]


def test_a_file_that_may_not_grow_answers_unavailable(tmp_path: Path) -> None:
    program = f"""
        import asyncio, resource
        from pathlib import Path
        from hubbub.errors import Unavailable
        from hubbub.store.database import Database
        from hubbub.store.sqlite import SQLite
        from tests.store.test_sqlite import add, users

        async def main():
            database = Database(SQLite(Path({str(tmp_path)!r})))
            await database.start()
            unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, unlimited[1]))
            kept = 0
            try:
                while kept < 10_000:
                    await database.write(add, f"{{kept:03}}" * 1000)
                    kept += 1
            except Unavailable as error:
                print("refused:", error)
            resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
            await database.write(add, "alice")
            assert len(await database.read(users)) == kept + 1
            await database.stop()

        asyncio.run(main())
    """
    done = run_python(program)

    assert done.returncode == 0, done.stderr
    assert "refused: nothing can be stored now" in done.stdout


async def test_a_read_only_database_answers_unavailable(tmp_path: Path, open_database: Opener) -> None:
    database = await open_database(SQLite(tmp_path))

    await database.write(run_sql, "PRAGMA query_only=ON")

    with pytest.raises(Unavailable, match="read-only"):
        await database.write(add, "alice")
    assert await database.read(users) == []


async def test_a_lock_of_a_foreign_program_passes(
    tmp_path: Path, open_database: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_module, "BUSY", 0.05)
    engine = SQLite(tmp_path)
    database = await open_database(engine)

    with closing(sqlite3.connect(engine.path, isolation_level=None)) as shell:
        shell.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="locked"):
            await database.write(add, "alice")
        shell.execute("ROLLBACK")

    await database.write(add, "alice")


async def test_the_log_is_emptied_under_load_before_it_grows_too_long(
    tmp_path: Path, open_database: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_module, "WAL_BYTES", 200_000)
    engine = SQLite(tmp_path)
    database = await open_database(engine)
    log, longest = engine.path.with_name(engine.path.name + "-wal"), 0

    for number in range(200):
        await database.write(add, f"{number:03}" * 1000)
        longest = max(longest, log.stat().st_size)

    assert 200_000 < longest < 400_000


async def test_what_is_deleted_is_overwritten_in_the_file(tmp_path: Path, open_database: Opener) -> None:
    engine = SQLite(tmp_path)
    database = await open_database(engine)
    await database.write(add, "a-secret-that-was-told")
    await database.write(run_sql, "DELETE FROM users")

    await database.stop()

    assert b"a-secret-that-was-told" not in engine.path.read_bytes()


async def test_a_second_server_is_told_what_to_do(tmp_path: Path, open_database: Opener) -> None:
    await open_database(SQLite(tmp_path))

    with pytest.raises(ConfigurationError, match=f"process {os.getpid()}.*--data-dir"):
        await Database(SQLite(tmp_path)).start()


async def test_the_lock_ends_with_the_server(tmp_path: Path, open_database: Opener) -> None:
    database = await open_database(SQLite(tmp_path))
    await database.stop()

    await open_database(SQLite(tmp_path))


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    engine = SQLite(tmp_path)
    engine.path.write_text("a shopping list, and not a short one: " * 100)

    with pytest.raises(ConfigurationError, match=str(engine.path)):
        engine.prepare()


@pytest.mark.parametrize("round", range(3))
@pytest.mark.parametrize("rooms", [3, 30])
def test_what_was_acked_outlives_a_killed_process(tmp_path: Path, rooms: int, round: int) -> None:
    """Most rows of messages in thirty rooms at once are deferred."""
    program = f"""
        import asyncio
        from pathlib import Path
        from tests.logbook import Logbook
        from hubbub.wire.identity import User
        from hubbub.store.database import Database
        from hubbub.store.sqlite import SQLite

        async def send(log, number):
            for turn in range(100_000):
                author = User(f"user{{number}}", "User")
                sent = await log.send(author, f"room{{number % {rooms}}}", "hello", key=f"{{turn:08}}")
                if {rooms} == 3:
                    await log.edit(author, sent.room, sent.seq, "hello, again")
                print(f"{{sent.room}} {{sent.seq}}", flush=True)

        async def main():
            database = Database(SQLite(Path({str(tmp_path)!r})))
            await database.start()
            log = Logbook(database)
            await asyncio.gather(*(send(log, number) for number in range({max(10, rooms)})))

        asyncio.run(main())
    """
    with subprocess.Popen(python(program), stdout=subprocess.PIPE, cwd=REPOSITORY, text=True) as process:
        assert process.stdout is not None
        acked = [process.stdout.readline().split() for _ in range(100 + 150 * round)]
        process.send_signal(signal.SIGKILL)
        acked += [line.split() for line in process.stdout.read().splitlines()]
    acked = [ack for ack in acked if len(ack) == 2]

    assert check(SQLite(tmp_path), check_rooms) == []
    with closing(sqlite3.connect(SQLite(tmp_path).path)) as database:
        stored = database.execute(
            "SELECT rooms.key, messages.seq FROM messages JOIN rooms ON rooms.id = messages.room_id"
            " WHERE text = 'hello, again' OR ? > 3",
            (rooms,),
        ).fetchall()
    assert {(room, int(seq)) for room, seq in acked} <= set(stored)
    assert len(stored) == len(set(stored))


def python(program: str) -> list[str]:
    lines = [line.removeprefix(" " * 8) for line in program.splitlines()]
    return [sys.executable, "-c", "\n".join(lines)]


def run_python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        python(program), capture_output=True, text=True, cwd=REPOSITORY, timeout=DEADLINE, check=False
    )
