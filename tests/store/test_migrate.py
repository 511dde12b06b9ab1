"""The schema brings itself up to date, copies a SQLite file first, and stays away from what is newer."""

import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from hubbub.chat.log import RoomLog
from hubbub.chat.log_batch import change_rooms
from hubbub.chat.log_changes import Author, Send
from hubbub.errors import ConfigurationError
from hubbub.store import migrate
from hubbub.store.base import Engine
from hubbub.store.migrations import HEAD, VERSIONS
from hubbub.store.postgres import Postgres
from hubbub.store.sqlite import SQLite
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
    sends = [Send(Author("alice", "Alice"), f"room{number}", "hello") for number in range(20)]
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


def make_as_it_was(engine: Engine, scripts: Path) -> None:
    """A database with the schema that these scripts make, and a few rows."""
    if isinstance(engine, SQLite):
        engine.path.parent.mkdir()
        migrated(engine.path, scripts)
        with closing(sqlite3.connect(engine.path)) as database:
            database.executescript(OLD_ROWS)
        return
    assert isinstance(engine, Postgres)
    address = create_engine(engine.url.replace("postgresql://", "postgresql+psycopg://", 1))
    with address.begin() as connection:
        migrate._upgrade(connection, scripts)
        connection.exec_driver_sql(OLD_ROWS)
    address.dispose()


async def test_who_comes_back_after_an_upgrade_gets_what_changed_before_it(
    empty_engine: Engine, tmp_path: Path, open_database: Opener
) -> None:
    scripts = tmp_path / "as-it-was"
    shutil.copytree(migrate.SCRIPTS, scripts)
    for later_step in ("v0002_changed_rows.py", "v0003_deferred.py", "v0004_room_ends.py"):
        (scripts / "versions" / later_step).unlink()
    make_as_it_was(empty_engine, scripts)
    assert version_of(empty_engine) == "0001"

    log = RoomLog(await open_database(empty_engine))
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
    assert (await log.send(Author("alice", "Alice"), "hall", "five")).rev == 7
    assert version_of(empty_engine) == HEAD
