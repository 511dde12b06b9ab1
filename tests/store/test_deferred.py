"""Rows that SQLite defers are durable at once and in their tables later, and nobody sees the difference."""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from hubbub.errors import ConfigurationError, Conflict, Unavailable
from hubbub.features.messages.log_changes import Changed
from hubbub.features.messages.log_check import check_rooms
from hubbub.store import deferred, group_commit
from hubbub.store.base import Transaction, Writer
from hubbub.store.database import Database
from hubbub.store.operations import backup, check, restore
from hubbub.store.sqlite import ROWS_DEFERRED, SQLite
from hubbub.wire.identity import User
from hubbub.wire.messages import MessageEvent
from tests.logbook import Logbook
from tests.store.databases import Opener, run_sql
from tests.store.test_sqlite import run_python
from tests.waiting import eventually

ALICE = User("alice", "Alice")
ROOMS = [f"room{number}" for number in range(20)]


@pytest.fixture
def engine(tmp_path: Path) -> SQLite:
    return SQLite(tmp_path / "data")


@pytest.fixture
async def database(engine: SQLite, open_database: Opener, monkeypatch: pytest.MonkeyPatch) -> Database:
    """An engine that does not use a quiet moment to move its deferred rows."""
    monkeypatch.setattr(group_commit, "IDLE_AFTER", 3600)
    return await open_database(engine)


@pytest.fixture
def log(database: Database) -> Logbook:
    return Logbook(database)


async def say(
    log: Logbook, text: str, rooms: Sequence[str] = ROOMS, *, key: str | None = None
) -> list[Changed[MessageEvent]]:
    """Send the same text in many rooms, in one commit."""
    return await asyncio.gather(*(log.send(ALICE, room, text, key=key) for room in rooms))


def waiting(engine: SQLite) -> int:
    """How many commits have deferred rows, as a program beside the server sees them. Each has rows for messages and for
    heads."""
    with closing(sqlite3.connect(f"file:{engine.path}?mode=ro", uri=True)) as beside:
        (number,) = beside.execute("SELECT count(*) FROM deferred").fetchone()
    return int(number) // 2


def as_killed(engine: SQLite, folder: Path) -> SQLite:
    """The same database as it would be found if its server were killed now."""
    killed = SQLite(folder)
    folder.mkdir()
    for suffix in ("", "-wal"):
        source = engine.path.with_name(engine.path.name + suffix)
        killed.path.with_name(source.name).write_bytes(source.read_bytes())
    return killed


def writer_of(database: Database) -> Writer:
    writer = database._commits._writer
    assert writer is not None
    return writer


async def texts(log: Logbook, room: str) -> list[str]:
    return [message.text for message in (await log.latest(room)).messages]


async def test_messages_of_many_rooms_wait_until_somebody_reads(engine: SQLite, log: Logbook) -> None:
    first, second = await say(log, "one"), await say(log, "two")
    assert waiting(engine) == 2

    page = await log.latest("room7")

    assert [message.text for message in page.messages] == ["one", "two"]
    assert page.head.seq == page.head.rev == second[7].seq == 2
    assert waiting(engine) == 0
    assert all([await texts(log, room) == ["one", "two"] for room in ROOMS])
    assert {sent.seq for sent in first} == {1}


async def test_a_few_messages_are_stored_at_once_unless_others_wait(engine: SQLite, log: Logbook) -> None:
    await say(log, "alone", ROOMS[:2])
    assert waiting(engine) == 0
    await say(log, "together")

    await say(log, "behind them", ROOMS[:2])

    assert waiting(engine) == 2
    assert await texts(log, "room0") == ["alone", "together", "behind them"]


async def test_a_repeat_is_known_while_the_first_one_waits(engine: SQLite, log: Logbook) -> None:
    first = await say(log, "one", key="key-00000001")

    again = await say(log, "one", key="key-00000001")

    assert waiting(engine) == 1
    assert all(sent.event is None for sent in again)
    assert [(sent.seq, sent.rev, sent.ts) for sent in again] == [(sent.seq, sent.rev, sent.ts) for sent in first]
    with pytest.raises(Conflict):
        await log.send(ALICE, "room3", "another text", key="key-00000001")
    await log.latest("room3")
    assert (await log.send(ALICE, "room3", "one", key="key-00000001")).event is None


async def test_a_transaction_that_fails_forgets_nothing_that_waits(database: Database, log: Logbook) -> None:
    def fail(transaction: Transaction, requests: Sequence[None]) -> list[None]:
        raise ZeroDivisionError

    await say(log, "one", key="key-00000001")
    with pytest.raises(ZeroDivisionError):
        await database.write(fail, None)

    assert all(sent.event is None for sent in await say(log, "one", key="key-00000001"))
    assert {sent.seq for sent in await say(log, "two")} == {2}
    assert await texts(log, "room3") == ["one", "two"]


async def test_who_is_refused_leaves_nothing_to_wait_for(engine: SQLite, database: Database, log: Logbook) -> None:
    await say(log, "one")
    assert await texts(log, "room3") == ["one"]
    await database.write(run_sql, "PRAGMA max_page_count=1")

    with pytest.raises(Unavailable, match="full"):
        await say(log, "x" * 100_000)

    # Moving the rows would need room again, even if there were none.
    assert not writer_of(database).has_deferred
    assert await texts(log, "room3") == ["one"]
    await database.write(run_sql, "PRAGMA max_page_count=100000")
    await say(log, "three")
    assert await texts(log, "room3") == ["one", "three"]


async def test_readers_take_no_room_from_those_who_speak(engine: SQLite, open_database: Opener) -> None:
    log = Logbook(await open_database(engine, queued=len(ROOMS)))
    await say(log, "one")

    reads = [asyncio.ensure_future(texts(log, room)) for room in ROOMS]
    await asyncio.sleep(0)
    sent = await log.send(ALICE, "room1", "two")

    assert sent.seq == 2
    assert all(found[0] == "one" for found in await asyncio.gather(*reads))


async def test_of_what_waited_no_copy_is_left(engine: SQLite, log: Logbook, tmp_path: Path) -> None:
    await say(log, "a-secret-that-was-told")
    killed = as_killed(engine, tmp_path / "killed")

    with closing(sqlite3.connect(killed.path)) as database:
        database.execute("PRAGMA journal_mode=DELETE")
        # As where SQLite was built without SQLITE_SECURE_DELETE.
        database.execute("PRAGMA secure_delete=OFF")
        deferred.bring_left(database)

    assert killed.path.read_bytes().count(b"a-secret-that-was-told") == len(ROOMS)


async def test_what_waits_can_be_answered_changed_and_trimmed(log: Logbook) -> None:
    await say(log, "one")
    reply = await log.send(ALICE, "room1", "two", reply_to=1)
    await say(log, "three")
    await log.edit(ALICE, "room2", 1, "1")
    await say(log, "four")
    await log.trim("room3", 2)

    assert reply.event is not None
    assert reply.event.quote is not None
    assert reply.event.quote.text == "one"
    assert await texts(log, "room2") == ["1", "three", "four"]
    assert await texts(log, "room3") == ["four"]


async def test_edits_in_many_rooms_leave_nothing_to_wait_for(engine: SQLite, log: Logbook) -> None:
    await say(log, "one")
    assert await texts(log, "room1") == ["one"]

    await asyncio.gather(*(log.edit(ALICE, room, 1, "1") for room in ROOMS))

    # A reader between the commit and its upkeep must not find new rows under an old head.
    with closing(sqlite3.connect(f"file:{engine.path}?mode=ro", uri=True)) as beside:
        assert beside.execute("SELECT count(*) FROM deferred").fetchone() == (0,)
        assert beside.execute("SELECT DISTINCT rev FROM rooms").fetchall() == [(2,)]


async def test_what_waits_when_the_server_is_killed_is_found(
    engine: SQLite, log: Logbook, tmp_path: Path, open_database: Opener
) -> None:
    await say(log, "one")
    await say(log, "two", key="key-00000001")
    assert waiting(engine) == 2

    killed = as_killed(engine, tmp_path / "killed")
    found = Logbook(await open_database(killed))

    assert waiting(killed) == 0
    assert all(sent.event is None for sent in await say(found, "two", key="key-00000001"))
    assert all([await texts(found, room) == ["one", "two"] for room in ROOMS])
    assert replace(await found.head("room4"), epoch="") == replace(await log.head("room4"), epoch="")
    assert check(killed, check_rooms) == []


ADD_MESSAGES_AS_TEXT = """["\\n    INSERT INTO messages (room_id, seq, rev, first_rev, user_id, kind, text, ts, key, \
digest, reply_to, data)\\n    \
SELECT room_id, seq, rev, rev, user_id, kind, text, ts, key, digest, reply_to, data FROM \
{added} AS added\\n    ",\
"added",["room_id","seq","rev","user_id","kind","text","ts","key","digest","reply_to","data"]]"""
MOVE_HEADS_AS_TEXT = """["\\n    \
UPDATE rooms SET seq = head.seq, rev = head.rev, epoch = (SELECT max(number) FROM epochs)\
\\n    FROM (SELECT id, max(seq) AS seq, max(rev) AS rev FROM {head} AS moved GROUP BY id) AS head\\n    \
WHERE rooms.id = head.id\\n    ","head",["id","seq","rev"]]"""


async def test_rows_are_found_that_an_older_version_left_with_the_text_of_their_statement(
    engine: SQLite, log: Logbook, tmp_path: Path, open_database: Opener
) -> None:
    await say(log, "one")
    killed = as_killed(engine, tmp_path / "killed")
    with closing(sqlite3.connect(killed.path)) as beside, beside:
        for name, text in (("add messages", ADD_MESSAGES_AS_TEXT), ("move heads", MOVE_HEADS_AS_TEXT)):
            beside.execute("UPDATE deferred SET statement = ? WHERE statement = ?", (text, name))

    found = Logbook(await open_database(killed))

    assert all([await texts(found, room) == ["one"] for room in ROOMS])
    assert check(killed, check_rooms) == []


@pytest.mark.parametrize("statement", ["vote", ADD_MESSAGES_AS_TEXT.replace("messages", "users")])
async def test_a_server_that_does_not_know_whose_rows_wait_says_so_and_does_not_start(
    engine: SQLite, log: Logbook, tmp_path: Path, statement: str
) -> None:
    await say(log, "one")
    killed = as_killed(engine, tmp_path / "killed")
    with closing(sqlite3.connect(killed.path)) as beside, beside:
        beside.execute("UPDATE deferred SET statement = ? WHERE statement = 'add messages'", (statement,))

    with pytest.raises(ConfigurationError, match="which this server does not know"):
        await Database(killed).start()
    with pytest.raises(ConfigurationError, match="which this server does not know"):
        restore(SQLite(tmp_path / "other"), killed.path)

    with closing(sqlite3.connect(killed.path)) as beside:
        assert beside.execute("SELECT count(*) FROM deferred").fetchone() == (2,)


async def test_it_waits_neither_long_nor_for_many_commits(
    engine: SQLite, log: Logbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    for turn in range(ROWS_DEFERRED // (2 * len(ROOMS)) + 1):
        await say(log, f"{turn}")

    assert waiting(engine) == 1
    monkeypatch.setattr(group_commit, "IDLE_AFTER", 0.1)
    await say(log, "the last one")
    await eventually(lambda: waiting(engine) == 0)


async def test_a_backup_has_it_in_its_place(engine: SQLite, log: Logbook, tmp_path: Path) -> None:
    await say(log, "one")
    assert waiting(engine) == 1

    backup(engine, tmp_path / "backup.db")

    with closing(sqlite3.connect(tmp_path / "backup.db")) as copy:
        assert copy.execute("SELECT count(*) FROM messages").fetchone() == (len(ROOMS),)
        assert copy.execute("SELECT count(*) FROM deferred").fetchone() == (0,)


def test_on_a_full_disk_what_waits_is_neither_lost_nor_left_out(tmp_path: Path) -> None:
    program = f"""
        import asyncio, resource
        from pathlib import Path
        from tests.logbook import Logbook
        from hubbub.errors import Unavailable
        from hubbub.store.database import Database
        from hubbub.store.sqlite import SQLite
        from tests.store.test_deferred import say, texts

        async def main():
            database = Database(SQLite(Path({str(tmp_path)!r})))
            await database.start()
            log = Logbook(database)
            unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, unlimited[1]))
            said = []
            try:
                while len(said) < 10_000:
                    await say(log, f"{{len(said):04}}" * 20)
                    said.append(f"{{len(said):04}}" * 20)
            except Unavailable as error:
                print("refused:", error)
            try:
                assert (await texts(log, "room5"))[-1] == said[-1]
            except Unavailable as error:
                print("not read:", error)
            resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
            assert await texts(log, "room5") == said[-50:]
            assert (await log.head("room5")).seq == len(said)
            await say(log, "again")
            await database.stop()

        asyncio.run(main())
    """
    done = run_python(program)

    assert done.returncode == 0, done.stderr
    assert "refused: nothing can be stored now" in done.stdout
    assert "Traceback" not in done.stderr
    assert check(SQLite(tmp_path), check_rooms) == []
