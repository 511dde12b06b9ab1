"""The schema is upgraded at the start, after a copy of a SQLite file. A newer schema is refused."""

import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from hubbub.accounts.users import is_made_of
from hubbub.errors import ConfigurationError
from hubbub.features.messages import log_sql as sql
from hubbub.features.messages.log_batch import change_rooms
from hubbub.features.messages.log_check import check_rooms
from hubbub.store import deferred, migrate
from hubbub.store.base import Engine
from hubbub.store.migrations import HEAD, VERSIONS
from hubbub.store.postgres import Postgres
from hubbub.store.sqlite import SQLite
from hubbub.wire.identity import User
from tests.logbook import Logbook, send_request
from tests.store.databases import Opener
from tests.store.write_schema import migrated, schema_of

NEXT_STEP = """
from alembic import op
revision, down_revision = "9999", "{head}"
def upgrade():
    op.execute("CREATE TABLE next_step (number INTEGER)")
"""


@pytest.fixture
def next_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A version of the program whose schema has one more step."""
    scripts = tmp_path / "migrations"
    shutil.copytree(migrate.SCRIPTS, scripts)
    (scripts / "versions/next_step.py").write_text(NEXT_STEP.format(head=HEAD))
    monkeypatch.setattr(migrate, "SCRIPTS", scripts)
    monkeypatch.setattr(migrate, "HEAD", "9999")


def version_of(engine: Engine) -> str | None:
    if isinstance(engine, SQLite):
        return migrate.sqlite_version(engine.path)
    assert isinstance(engine, Postgres)
    return migrate.postgres_version(engine.url)


def open_and_close(engine: Engine) -> None:
    engine.prepare()
    engine.release()


def test_head_is_the_last_step() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrate.SCRIPTS))
    config.set_main_option("path_separator", "os")

    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_heads() == [HEAD]
    assert [step.revision for step in scripts.walk_revisions()] == list(reversed(VERSIONS))


def test_an_empty_database_gets_the_whole_schema(empty_engine: Engine) -> None:
    assert version_of(empty_engine) is None

    open_and_close(empty_engine)

    assert version_of(empty_engine) == HEAD


def test_what_is_up_to_date_is_left_alone(tmp_path: Path) -> None:
    engine = SQLite(tmp_path)
    open_and_close(engine)
    before = engine.path.read_bytes()

    open_and_close(engine)

    assert engine.path.read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["hubbub.db", "lock"]


def test_an_older_database_is_upgraded(empty_engine: Engine, request: pytest.FixtureRequest) -> None:
    open_and_close(empty_engine)
    request.getfixturevalue("next_step")

    open_and_close(empty_engine)

    assert version_of(empty_engine) == "9999"


def test_a_sqlite_file_is_copied_before_it_is_upgraded(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    engine = SQLite(tmp_path / "data")
    open_and_close(engine)
    request.getfixturevalue("next_step")

    open_and_close(engine)

    (copy,) = engine.path.parent.glob(f"hubbub-{HEAD}-*.db")
    assert migrate.sqlite_version(copy) == HEAD
    assert copy.stat().st_mode & 0o077 == 0


def test_what_a_killed_server_left_undone_is_done_before_an_upgrade(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    engine, killed = SQLite(tmp_path / "data"), SQLite(tmp_path / "killed")
    engine.prepare()
    sends = [send_request(User("alice", "Alice"), f"room{number}", "hello") for number in range(20)]
    with closing(engine.open_writer()) as writer:
        writer.transact(lambda transaction: change_rooms(transaction, sends, clock=time.time))
        assert writer.has_deferred
        shutil.copytree(engine.path.parent, killed.path.parent)
    engine.release()
    request.getfixturevalue("next_step")

    open_and_close(killed)

    (copy,) = killed.path.parent.glob(f"hubbub-{HEAD}-*.db")
    for path in (copy, killed.path):
        with closing(sqlite3.connect(path)) as database:
            assert database.execute("SELECT count(*) FROM messages").fetchone() == (20,)
            assert database.execute("SELECT count(*) FROM deferred").fetchone() == (0,)


def test_a_step_that_fails_leaves_everything_as_it_was(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    engine = SQLite(tmp_path / "data")
    open_and_close(engine)
    request.getfixturevalue("next_step")
    step = migrate.SCRIPTS / "versions/next_step.py"
    step.write_text(step.read_text() + '    op.execute("CREATE TABLE rooms (again INTEGER)")\n')

    with pytest.raises(Exception, match="already exists"):
        engine.prepare()

    assert migrate.sqlite_version(engine.path) == HEAD
    assert list(engine.path.parent.glob("hubbub-*.db")) == []
    with closing(sqlite3.connect(engine.path)) as database:
        assert not database.execute("SELECT 1 FROM sqlite_schema WHERE name = 'next_step'").fetchone()


def test_a_database_of_a_newer_version_is_not_touched(
    empty_engine: Engine, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context():
        request.getfixturevalue("next_step")
        open_and_close(empty_engine)
        monkeypatch.undo()

    with pytest.raises(ConfigurationError, match="newer Hubbub"):
        empty_engine.prepare()

    assert version_of(empty_engine) == "9999"
    if isinstance(empty_engine, SQLite):
        # A server that is started again and again would fill the disk with copies.
        assert list(empty_engine.path.parent.glob("hubbub-*.db")) == []


def test_a_new_sqlite_file_has_the_schema_that_the_migrations_make(tmp_path: Path) -> None:
    engine = SQLite(tmp_path / "new")
    open_and_close(engine)

    assert schema_of(engine.path) == schema_of(migrated(tmp_path / "migrated.db"))


OLD_ROWS = """
    INSERT INTO users (id, key, folded, identity, name) VALUES (1, 'alice', 'alice', '', 'Alice');
    INSERT INTO rooms (id, key, folded, seq, rev, floor, floor_rev, epoch) VALUES (1, 'hall', 'hall', 4, 6, 0, 0, 1);
    INSERT INTO messages (room_id, seq, rev, first_rev, user_id, kind, text, ts, edited) VALUES
        (1, 1, 5, 1, 1, 'text', 'one, edited', 0, 1), (1, 2, 2, 2, 1, 'text', 'two', 0, NULL),
        (1, 3, 6, 3, 1, 'text', 'three, edited', 0, 1), (1, 4, 4, 4, 1, 'text', 'four', 0, NULL);
"""


def scripts_up_to(last: str, folder: Path) -> Path:
    """The steps of an earlier version of the program."""
    scripts = folder / "as-it-was"
    shutil.copytree(migrate.SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    for step in (scripts / "versions").glob("v*.py"):
        if step.name[1:5] > last:
            step.unlink()
    return scripts


def make_as_it_was(engine: Engine, scripts: Path, rows: str) -> None:
    """A database with the schema that these scripts make, and a few rows."""
    if isinstance(engine, SQLite):
        engine.path.parent.mkdir()
        migrated(engine.path, scripts)
        with closing(sqlite3.connect(engine.path)) as database:
            database.executescript(rows)
        return
    assert isinstance(engine, Postgres)
    address = create_engine(engine.url.replace("postgresql://", "postgresql+psycopg://", 1))
    with address.begin() as connection:
        migrate._upgrade(connection, scripts)
        connection.exec_driver_sql(rows)
    address.dispose()


async def test_who_comes_back_after_an_upgrade_gets_what_changed_before_it(
    empty_engine: Engine, tmp_path: Path, open_database: Opener
) -> None:
    make_as_it_was(empty_engine, scripts_up_to("0001", tmp_path), OLD_ROWS)
    assert version_of(empty_engine) == "0001"

    log = Logbook(await open_database(empty_engine))
    epoch = (await log.head("hall")).epoch
    missed = [(await log.recover("hall", rev, epoch)).messages for rev in range(7)]

    assert [[message.rev for message in messages] for messages in missed] == [
        [2, 4, 5, 6],
        [2, 4, 5, 6],
        [4, 5, 6],
        [4, 5, 6],
        [5, 6],
        [6],
        [],
    ]
    assert (await log.send(User("alice", "Alice"), "hall", "five")).rev == 7
    assert version_of(empty_engine) == HEAD


PAIRS = """
    INSERT INTO users (id, key, folded, identity, name) VALUES
        (1, 'dup', 'dup', 'first', 'Dup'), (2, 'DUP', 'dup', 'second', 'DUP'), (3, 'dup', 'dup', 'third', 'dup'),
        (4, 'alice', 'alice', 'guest', 'alice'), (5, 'alice', 'alice', '', 'Alice'), (6, 'bob', 'bob', '', 'Bob'),
        (7, 'one', 'one', 'the same', 'one'), (8, 'two', 'two', 'the same', 'two');
    INSERT INTO rooms (id, key, folded, seq, rev, floor, floor_rev, epoch) VALUES
        (1, 'hall', 'hall', 5, 5, 0, 0, 1), (2, 'den', 'den', 1, 1, 0, 0, 1);
    INSERT INTO messages (room_id, seq, rev, first_rev, user_id, kind, text, ts, key, digest, reactions) VALUES
        (1, 1, 1, 1, 1, 'text', 'first', 0, 'key-00000001', 1, NULL),
        (1, 2, 2, 2, 2, 'text', 'second', 0, 'key-00000001', 2, NULL),
        (1, 3, 3, 3, 3, 'text', 'third', 0, 'key-00000001', 3, NULL),
        (1, 4, 4, 4, 6, 'text', 'of bob', 0, NULL, NULL,
            '[{"emoji":"👍","count":4,"users":["bob","DUP","dup","dup"]},{"emoji":"🎉","count":1,"users":["dup"]}]'),
        (1, 5, 5, 5, 6, 'text', 'the last', 0, NULL, NULL, NULL),
        (2, 1, 1, 1, 4, 'text', 'of the guest', 0, NULL, NULL, NULL);
    INSERT INTO reactions (room_id, seq, emoji, user_id) VALUES
        (1, 4, '👍', 1), (1, 4, '👍', 2), (1, 4, '👍', 3), (1, 4, '👍', 6), (1, 4, '🎉', 2);
"""


@pytest.mark.parametrize("before", ["0001", "0003", "0004"])
async def test_where_several_had_one_key_the_first_one_keeps_it(
    empty_engine: Engine, tmp_path: Path, open_database: Opener, before: str
) -> None:
    make_as_it_was(empty_engine, scripts_up_to(before, tmp_path), PAIRS)

    database = await open_database(empty_engine)
    log = Logbook(database)
    hall, den = (await log.latest("hall")).messages, (await log.latest("den")).messages

    first, second, third, *bobs = [message.user for message in hall]
    assert (first, bobs) == ("dup", ["bob", "bob"])
    assert len({first, second, third}) == 3
    assert all(is_made_of(key, "dup") for key in (second, third))
    assert is_made_of(den[0].user, "alice")
    assert [message.text for message in hall] == ["first", "second", "third", "of bob", "the last"]
    thumbs, party = hall[3].reactions or []
    assert sorted(thumbs.users) == sorted(["bob", first, second, third])
    assert (thumbs.count, party.users) == (4, [second])
    assert await database.read(check_rooms) == []
    # A client from before the upgrade gets the messages that show another key now, and no others.
    epoch = (await log.head("hall")).epoch
    assert [message.seq for message in (await log.recover("hall", 5, epoch)).messages] == [2, 3, 4]
    # The identities keep their new keys.
    sent = [
        await log.send(User("dup", "dup", identity=identity), "hall", "hello")
        for identity in ("first", "second", "new")
    ]
    assert [one.event.user for one in sent if one.event][:2] == [first, second]
    assert sent[2].event is not None
    assert sent[2].event.user not in {first, second, third}


async def test_rows_that_a_killed_server_deferred_are_told_apart_too(tmp_path: Path, open_database: Opener) -> None:
    engine = SQLite(tmp_path / "data")
    make_as_it_was(engine, scripts_up_to("0004", tmp_path), PAIRS)
    statement = sql.ADD_MESSAGES
    rows = [[1, seq, seq, user, "text", "deferred", 0, None, None, None, None] for seq, user in ((6, 1), (7, 2))]
    with closing(sqlite3.connect(engine.path)) as beside, beside:
        deferred.put(beside, [(statement, rows), (sql.MOVE_HEADS, [(1, 7, 7)])])

    log = Logbook(await open_database(engine))

    messages = (await log.latest("hall")).messages
    assert [message.text for message in messages[-2:]] == ["deferred", "deferred"]
    assert [message.user for message in messages[-2:]] == [messages[0].user, messages[1].user]
    assert messages[0].user != messages[1].user
