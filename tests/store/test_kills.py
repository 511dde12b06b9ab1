"""Work that takes several steps is killed in the middle: the next start finishes or undoes it, and leaves no parts."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from hubbub.accounts.signing_key import make_key_in_file
from hubbub.features.messages.log_batch import change_rooms
from hubbub.features.messages.log_check import check_rooms
from hubbub.store import migrate
from hubbub.store.directory import DirectoryLock, InUseError
from hubbub.store.migrations import HEAD
from hubbub.store.operations import backup, check
from hubbub.store.parts import whole_file
from hubbub.store.sqlite import SQLite
from hubbub.wire.identity import User
from tests.logbook import send_request
from tests.store.write_schema import migrated

pytestmark = pytest.mark.slow(3)

ALICE = User("alice", "Alice")
DEADLINE = 60.0
MESSAGES = 12_000
"""So many that a change of all of them does not fit into SQLite's cache: it writes into the file before it commits."""

ROWS = f"""
    INSERT INTO users (id, key, folded, identity, name) VALUES (1, 'alice', 'alice', '', 'Alice');
    INSERT INTO rooms (id, key, folded, seq, rev, floor, floor_rev, epoch)
        VALUES (1, 'hall', 'hall', {MESSAGES}, {MESSAGES}, 0, 0, 1);
    INSERT INTO messages (room_id, seq, rev, first_rev, user_id, kind, text, ts)
        SELECT 1, value, value, value, 1, 'text', hex(randomblob(200)), 0 FROM generate_series;
"""
SERIES = f"""
    CREATE TEMP TABLE generate_series AS WITH RECURSIVE numbers (value) AS
        (SELECT 1 UNION ALL SELECT value + 1 FROM numbers WHERE value < {MESSAGES}) SELECT value FROM numbers;
"""


IMPORTS = """
import os, signal, subprocess, sys
from pathlib import Path
from hubbub.accounts.signing_key import make_key_in_file
from hubbub.store import migrate, operations
from hubbub.store.directory import DirectoryLock
from hubbub.store.sqlite import SQLite
"""
KILLED_AT_STEP = """
steps = 0

def counted(function):
    def do(*given, **named):
        global steps
        if steps == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        steps -= 1
        return function(*given, **named)
    return do

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        steps = int(line)
        for name in ("replace", "unlink", "write_text"):
            setattr(Path, name, counted(getattr(Path, name)))
        for name in ("open", "close", "fsync", "link", "ftruncate"):
            setattr(os, name, counted(getattr(os, name)))
        {program}
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""Reads numbers, and does the program for each: before it does so many steps that others would see, it is killed."""


def as_it_was(path: Path, tmp_path: Path) -> None:
    """A large database of the first version's schema."""
    scripts = tmp_path / "as-it-was"
    shutil.copytree(migrate.SCRIPTS, scripts)
    for step in (scripts / "versions").glob("v*.py"):
        if not step.name.startswith("v0001"):
            step.unlink()
    path.parent.mkdir()
    migrated(path, scripts)
    with closing(sqlite3.connect(path)) as database:
        database.executescript(SERIES + ROWS)


@contextmanager
def running(program: str) -> Iterator[subprocess.Popen[bytes]]:
    """Our program in a process group of its own. What is left of it is killed at the end."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", IMPORTS + program]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, start_new_session=True) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def kill_when(program: str, is_in_the_middle: Callable[[], bool]) -> None:
    """Kill a program at once, with everything that it started."""
    with running(program) as process:
        deadline = time.monotonic() + DEADLINE
        while not is_in_the_middle():
            assert process.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < deadline


def killed_at_each_step(program: str, begin: Callable[[], object], look: Callable[[], object]) -> None:
    """Let a program be killed before its first step with files, before its second, and so on until it gets through.

    `begin` makes what it begins with, `look` sees what is left.
    """
    with running(KILLED_AT_STEP.format(program=program)) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for step in range(100):
            begin()
            process.stdin.write(b"%d\n" % step)
            process.stdin.flush()
            status = int(process.stdout.readline())
            assert status in {0, -signal.SIGKILL}
            look()
            if status == 0:
                return
    raise AssertionError("it does not end")


def size(path: Path) -> int:
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def prepare(engine: SQLite) -> None:
    """The next start. It may have to wait for the end of a child of the killed server."""
    deadline = time.monotonic() + DEADLINE
    while True:
        try:
            engine.prepare()
        except InUseError:
            assert time.monotonic() < deadline
        else:
            return engine.release()


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


@pytest.mark.slow(20)
@pytest.mark.parametrize(("mode", "log"), [("DELETE", "-journal"), ("WAL", "-wal")])
def test_a_migration_that_is_killed_is_done_by_the_next_start(tmp_path: Path, mode: str, log: str) -> None:
    engine = SQLite(tmp_path / "data")
    as_it_was(engine.path, tmp_path)
    with closing(sqlite3.connect(engine.path)) as database:
        database.execute(f"PRAGMA journal_mode={mode}")
    before = size(engine.path)
    journal = engine.path.with_name(engine.path.name + log)

    for _ in range(migrate.COPIES + 1):
        # The copy is there, and pages were written where they belong, which only the journal can take back.
        kill_when(
            f"SQLite(Path({str(engine.path.parent)!r})).prepare()",
            lambda: size(journal) > 0 and (size(engine.path) > before or size(journal) > 1_000_000),
        )
    prepare(engine)

    assert migrate.sqlite_version(engine.path) == HEAD
    assert check(engine, check_rooms) == []
    copies = [file for file in engine.path.parent.glob("hubbub-0001-*.db") if file.suffix == ".db"]
    assert names(engine.path.parent) == sorted(["hubbub.db", "lock", *(copy.name for copy in copies)])
    assert 1 <= len(copies) <= migrate.COPIES
    for copy in copies:
        assert migrate.sqlite_version(copy) == "0001"


@pytest.mark.slow(7)
def test_a_migration_ends_with_the_server_that_began_it(tmp_path: Path) -> None:
    engine = SQLite(tmp_path / "data")
    as_it_was(engine.path, tmp_path)
    journal = engine.path.with_name(engine.path.name + "-journal")

    with closing(sqlite3.connect(engine.path, isolation_level=None)) as reader:
        # As long as somebody reads, the migration cannot be committed.
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM rooms").fetchall()
        with running(f"SQLite(Path({str(engine.path.parent)!r})).prepare()") as server:
            deadline = time.monotonic() + DEADLINE
            while size(journal) == 0:
                assert time.monotonic() < deadline
            server.kill()
            server.wait()
            # Blocked as it is, the migration alone would go on for longer.
            engine.take_hold(patience=10.0)
            engine.release()

    prepare(engine)
    assert migrate.sqlite_version(engine.path) == HEAD
    assert check(engine, check_rooms) == []


SHARED_LOCK = """
lock = DirectoryLock(Path({folder!r}))
lock.acquire()
subprocess.Popen(["sleep", "60"], pass_fds=lock.share_with_child())
print("held", flush=True)
sys.stdin.read()
"""


def test_a_child_that_outlives_its_server_holds_the_directory(tmp_path: Path) -> None:
    with running(SHARED_LOCK.format(folder=str(tmp_path))) as server:
        assert server.stdout is not None
        server.stdout.readline()
        server.kill()
        server.wait()
        with pytest.raises(InUseError):
            DirectoryLock(tmp_path).acquire()


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """The directory of a killed server, the last message of which stands in the log alone; and a backup from before."""
    engine, folder = SQLite(tmp_path / "running"), tmp_path / "killed"
    folder.mkdir()
    engine.prepare()
    with closing(engine.open_writer()) as writer:

        def say(text: str) -> None:
            writer.transact(partial(change_rooms, requests=[send_request(ALICE, "hall", text)], clock=time.time))

        say("in the backup")
        backup(engine, tmp_path / "backup.db")
        say("after it")
        for name in ("hubbub.db", "hubbub.db-wal"):
            shutil.copyfile(engine.path.with_name(name), folder / name)
    engine.release()
    return folder


def texts(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as database:
        return [text for (text,) in database.execute("SELECT text FROM messages ORDER BY seq")]


def test_a_restore_that_is_killed_is_done_or_not_begun(tmp_path: Path, killed: Path) -> None:
    engine = SQLite(tmp_path / "data")
    folder = engine.path.parent
    seen = set()

    def begin() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(killed, folder)

    def look() -> None:
        prepare(engine)
        asides = list(folder.glob("hubbub-replaced-*.db"))
        found = texts(engine.path)
        seen.add(len(found))
        assert found == (["in the backup"] if asides else ["in the backup", "after it"])
        assert [texts(aside) for aside in asides] == [["in the backup", "after it"]] * len(asides)
        assert names(folder) == sorted(["hubbub.db", "lock", *(aside.name for aside in asides)])
        assert check(engine, check_rooms) == []

    killed_at_each_step(
        f"operations.restore(SQLite(Path({str(folder)!r})), Path({str(tmp_path / 'backup.db')!r}))", begin, look
    )
    assert seen == {1, 2}


def test_a_backup_that_is_killed_leaves_nothing_that_the_next_one_does_not_remove(tmp_path: Path, killed: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()

    def look() -> None:
        backup(SQLite(killed), folder / "another.db")
        expected = ["another.db", "copy.db"] if (folder / "copy.db").exists() else ["another.db"]
        assert names(folder) == expected
        for name in expected:
            assert texts(folder / name) == ["in the backup", "after it"]
            (folder / name).unlink()

    killed_at_each_step(
        f"operations.backup(SQLite(Path({str(killed)!r})), Path({str(folder / 'copy.db')!r}))", lambda: None, look
    )


def test_what_somebody_still_writes_is_not_removed(tmp_path: Path, killed: Path) -> None:
    with whole_file(tmp_path / "copy.db") as part:
        backup(SQLite(killed), tmp_path / "another.db")
        part.write_text("whole")

    assert (tmp_path / "copy.db").read_text() == "whole"


def test_a_first_start_that_is_killed_is_a_first_start_again(tmp_path: Path) -> None:
    folder = tmp_path / "data"

    def look() -> None:
        key = make_key_in_file(folder)
        assert make_key_in_file(folder) == key
        engine = SQLite(folder)
        prepare(engine)
        assert names(folder) == ["hubbub.db", "lock", "secret"]
        assert (folder / "secret").stat().st_mode & 0o077 == 0
        assert check(engine, check_rooms) == []

    killed_at_each_step(
        f"folder = Path({str(folder)!r}); make_key_in_file(folder); SQLite(folder).prepare()",
        lambda: shutil.rmtree(folder, ignore_errors=True),
        look,
    )


def test_a_copy_before_an_upgrade_that_is_killed_leaves_no_parts(tmp_path: Path, killed: Path) -> None:
    engine = SQLite(tmp_path / "data")
    folder = engine.path.parent

    def begin() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(killed, folder)

    def look() -> None:
        prepare(engine)
        copies = list(folder.glob(f"hubbub-{HEAD}-*.db"))
        assert [texts(copy) for copy in copies] == [["in the backup", "after it"]] * len(copies)
        assert names(folder) == sorted(["hubbub.db", "lock", *(copy.name for copy in copies)])

    killed_at_each_step(f"migrate._copy_before_upgrade(Path({str(engine.path)!r}), {HEAD!r})", begin, look)
