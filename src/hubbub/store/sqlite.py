"""SQLite as an engine: one file, one writer, readers that never write.

SQLite 3.7.0 to 3.51.2, which Python often links, can corrupt a write-ahead log when two connections write or checkpoint
at once (https://www.sqlite.org/wal.html, "the WAL-reset bug"). So the writer alone checkpoints, readers open the file
`mode=ro`, and the data directory is locked against a second server.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from pydantic_core import from_json, to_json

from hubbub.errors import ConfigurationError, Unavailable
from hubbub.files import check_regular
from hubbub.store import deferred, epochs, replacing
from hubbub.store.base import Transaction, Work
from hubbub.store.directory import DirectoryLock
from hubbub.store.migrate import migrate_sqlite
from hubbub.store.open_files import OpenFiles
from hubbub.store.parts import remove_abandoned
from hubbub.store.statement import Statement

T = TypeVar("T")

FILE_NAME = "hubbub.db"

BUSY = 1.0
"""Seconds to wait for a lock that a foreign program (a `sqlite3` shell, a backup tool) holds."""
WAL_BYTES = 64 * 1024 * 1024
"""From this size on the log is emptied even under load, before it slows readers down and fills the disk."""
COMMITS_BEFORE_CHECKPOINT = 100
"""How many commits may pass without a quiet moment. A log that begins anew this often is written over pages that the
system has at hand already: a commit costs a quarter less CPU than where it grows, and a checkpoint 2 % of that.
SQLite's own checkpoint would come in the middle of a commit."""
ROWS_DEFERRED = 2000
"""How many rows may wait until they are brought where they belong: some milliseconds' work then."""
COMMITS_BEFORE_LOOK = 10
"""How many commits may pass before the size of the log is looked at."""
CACHE_KIB = 64 * 1024

BOUND_ROWS = 64
"""Up to this many rows of a batch are bound value by value; more of them come as JSON."""

_REASONS = {
    sqlite3.SQLITE_FULL: "the disk, or the database's limit of pages, is full",
    sqlite3.SQLITE_READONLY: "the database is read-only",
    sqlite3.SQLITE_BUSY: "another program has locked the database",
    sqlite3.SQLITE_LOCKED: "another program has locked the database",
    sqlite3.SQLITE_IOERR: "the disk cannot be read or written",
    sqlite3.SQLITE_CANTOPEN: "the database file cannot be opened",
    sqlite3.SQLITE_CORRUPT: "the database file is damaged: run `hubbub db check`",
    sqlite3.SQLITE_NOTADB: "the database file is not one of SQLite's",
}


def unavailable(error: sqlite3.Error) -> Unavailable | None:
    """The same error for a client, if it is the database that cannot, and not the statement that is wrong."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    reason = _REASONS.get(code)
    return Unavailable(f"nothing can be stored now: {reason}", retry_after=1000) if reason else None


def check_files(path: Path) -> None:
    """Raises `ConfigurationError` if what SQLite would open is no file: it would wait for ever on a FIFO."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        file = path.with_name(path.name + suffix)
        try:
            check_regular(file)
        except OSError as error:
            raise ConfigurationError(f"{file} cannot be opened: {error.strerror}") from None


class _Connection:
    """Implements `Transaction` on a connection of Python's `sqlite3`."""

    is_alone = True
    has_deferred = False

    def __init__(self, path: Path, *, mode: str) -> None:
        self.memory: dict[str, Any] = {}
        self.memory_of_deferred: dict[str, Any] = {}
        check_files(path)
        self.database = sqlite3.connect(
            f"file:{quote(str(path.absolute()))}?mode={mode}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=BUSY,
            cached_statements=8 * BOUND_ROWS,
        )
        self._compiled: dict[tuple[Statement, int], str] = {}
        self.database.execute(f"PRAGMA cache_size=-{CACHE_KIB}")

    def rows(self, statement: Statement, **parameters: Any) -> list[Sequence[Any]]:
        found = self._execute(statement, parameters).fetchall()
        if not statement.columns:
            return list(found)
        rows: list[Sequence[Any]] = from_json(found[0][0])
        return rows

    def run(self, statement: Statement, **parameters: Any) -> None:
        self._execute(statement, parameters)

    def defer(self, work: Sequence[Work]) -> bool:
        for statement, rows in work:
            self.run(statement, **dict.fromkeys(statement.tables, rows))
        return False

    def do_deferred(self) -> None:
        """A reader has none: `Database` sees to it before it reads."""

    def _execute(self, statement: Statement, parameters: dict[str, Any]) -> sqlite3.Cursor:
        bound: Any = parameters
        number = 0
        if len(statement.tables) == len(parameters) == 1:
            (rows,) = parameters.values()
            if 0 < len(rows) <= BOUND_ROWS:
                number, bound = len(rows), list(chain.from_iterable(rows))
        sql = self._compiled.get((statement, number))
        if sql is None:
            sql = statement.for_rows_in_sqlite(number) if number else statement.for_sqlite()
            self._compiled[statement, number] = sql
        if not number:
            for name in statement.tables:
                parameters[name] = to_json(parameters[name]).decode()
        return self.database.execute(sql, bound)

    def in_transaction(self, begin: str, work: Callable[[Transaction], T]) -> T:
        try:
            self.database.execute(begin)
            try:
                result = work(self)
                self.database.execute("COMMIT")
            except BaseException:
                self.memory.clear()
                # SQLite has rolled back by itself after some errors, a full disk among them.
                if self.database.in_transaction:
                    with contextlib.suppress(sqlite3.Error):
                        self.database.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            reason = unavailable(error)
            if reason is None:
                raise
            raise reason from error
        return result


class _WritingConnection(_Connection):
    """It defers, and sees to it that no statement meets the tables without what was deferred."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, mode="rwc")
        self.has_deferred = True  # until it was looked at
        self.rows_deferred = 0
        self._remembers = False
        """Whether `memory_of_deferred` holds what it should; not after a failure, nor of what was found in the file."""
        self._has_done = False
        """Whether this transaction did what was deferred before it."""

    def defer(self, work: Sequence[Work]) -> bool:
        if self._has_done:
            return super().defer(work)
        if not self.has_deferred:
            self._remembers = True
        self.has_deferred = True
        self.rows_deferred += sum(len(rows) for _, rows in work)
        deferred.put(self.database, work)
        return True

    def do_deferred(self) -> None:
        if self.has_deferred and not self._has_done:
            deferred.do_all(self.database)
            self._has_done = True
            self.memory_of_deferred.clear()

    def _execute(self, statement: Statement, parameters: dict[str, Any]) -> sqlite3.Cursor:
        if not (statement.besides_deferred and self._remembers):
            self.do_deferred()
        return super()._execute(statement, parameters)

    def in_transaction(self, begin: str, work: Callable[[Transaction], T]) -> T:
        had_deferred, self._has_done = self.has_deferred, False
        try:
            result = super().in_transaction(begin, work)
        except BaseException:
            self.has_deferred = had_deferred
            self._remembers = False
            self.memory_of_deferred.clear()
            raise
        if self._has_done:
            self.has_deferred, self.rows_deferred = False, 0
        return result


class SQLiteWriter:
    """The connection that writes, and the only one that checkpoints."""

    def __init__(self, path: Path, *, most_pages: int | None = None) -> None:
        self._wal = path.with_name(path.name + "-wal")
        self._connection = _WritingConnection(path)
        self._commits = 0
        database = self._connection.database
        for pragma in (
            "journal_mode=WAL",
            # What a statement may have to take back would else be kept in a file that comes and goes with each commit.
            "temp_store=MEMORY",
            "synchronous=FULL",
            "wal_autocheckpoint=0",
            "foreign_keys=ON",
            # What people delete is overwritten, not merely unlinked.
            "secure_delete=ON",
        ):
            database.execute(f"PRAGMA {pragma}")
        if most_pages is not None:
            database.execute(f"PRAGMA max_page_count={most_pages}")
        self.files = OpenFiles(path)
        # What a killed server left. Where there is no room for it, it is tried again before anything is read.
        with contextlib.suppress(Unavailable):
            self._do_deferred()
        self._is_epoch_due = False

    @property
    def has_deferred(self) -> bool:
        return self._connection.has_deferred

    def begin_epoch(self) -> None:
        """Begin an epoch now or, where the disk has no room for it, before anything is written."""
        self._is_epoch_due = True
        with contextlib.suppress(Unavailable):
            self._begin_epoch()

    def transact(self, work: Callable[[Transaction], T]) -> T:
        if self._is_epoch_due:
            self._begin_epoch()
        return self._transact(work)

    def _begin_epoch(self) -> None:
        def begin(transaction: Transaction) -> None:
            transaction.do_deferred()
            epochs.begin(self._connection.database, "start")

        self._transact(begin)
        self._is_epoch_due = False

    def _transact(self, work: Callable[[Transaction], T]) -> T:
        if self.files.problem:
            self.files.require()
        result = self._connection.in_transaction("BEGIN IMMEDIATE", work)
        self._commits += 1
        # Not before: what is removed during the commit would be acked.
        self.files.require()
        return result

    def rest(self, *, idle: bool) -> None:
        if self.files.problem:
            return
        try:
            if idle or self._connection.rows_deferred >= ROWS_DEFERRED:
                self._do_deferred()
        finally:
            # On a full disk this may be what makes room.
            self._keep_log_short(idle=idle)

    def _keep_log_short(self, *, idle: bool) -> None:
        if not self._commits:
            return
        is_due = idle or self._commits >= COMMITS_BEFORE_CHECKPOINT
        if (is_due or not self._commits % COMMITS_BEFORE_LOOK) and self._log_size() > WAL_BYTES:
            self._checkpoint("TRUNCATE")
        elif is_due:
            self._checkpoint("PASSIVE")

    def _log_size(self) -> int:
        try:
            return self._wal.stat().st_size
        except FileNotFoundError:
            self.files.look()
            return 0

    def _do_deferred(self) -> None:
        if self.has_deferred:
            self._transact(lambda transaction: transaction.do_deferred())

    def _checkpoint(self, mode: str) -> None:
        # A reader, or a full disk, may keep it from finishing: the next one does the rest.
        with contextlib.suppress(sqlite3.OperationalError):
            self._connection.database.execute(f"PRAGMA wal_checkpoint({mode})")
        self._commits = 0

    def close(self) -> None:
        try:
            # What cannot be done now is done when the file is opened again.
            with contextlib.suppress(Unavailable):
                self._do_deferred()
        finally:
            # SQLite removes the log by its name then, but not if the database is no longer under its own.
            self._connection.database.close()


class SQLiteReader:
    """A connection that cannot write. `files` are those that the writer of this process has opened, if it has one."""

    def __init__(self, path: Path, files: OpenFiles | None = None) -> None:
        self._files = files
        self._connection = _Connection(path, mode="ro")

    def snapshot(self, work: Callable[[Transaction], T]) -> T:
        if self._files is not None:
            self._files.require_as_seen()
        return self._connection.in_transaction("BEGIN", work)

    def close(self) -> None:
        self._connection.database.close()


class SQLite:
    """A database in one file of the data directory.

    `most_pages` bounds the file (a page is 4 KiB). A full database answers `Unavailable` and loses nothing.
    """

    is_shared = False

    def __init__(self, data_dir: Path, *, most_pages: int | None = None) -> None:
        self.path = data_dir / FILE_NAME
        self.lock = DirectoryLock(data_dir)
        self._most_pages = most_pages
        self._files: OpenFiles | None = None

    @property
    def place(self) -> str:
        return f"SQLite, {self.path.absolute()}"

    def prepare(self) -> None:
        self.take_hold()
        try:
            migrate_sqlite(self.path, self.lock)
        except BaseException:
            self.lock.release()
            raise

    def take_hold(self) -> None:
        """Lock the directory, and finish or remove what a program left there that was killed.

        Raises `ConfigurationError`, `InUseError`.
        """
        self.lock.acquire()
        try:
            remove_abandoned(self.path.parent)
            replacing.finish(self.path)
            check_files(self.path)
        except BaseException as error:
            self.lock.release()
            if isinstance(error, OSError):
                raise ConfigurationError(f"{self.path} cannot be written: {error.strerror}") from None
            raise

    def open_writer(self) -> SQLiteWriter:
        """Each writer of a server is an epoch: see `hubbub.store.epochs`."""
        try:
            writer = SQLiteWriter(self.path, most_pages=self._most_pages)
            writer.begin_epoch()
        except sqlite3.Error as error:
            raise ConfigurationError(f"{self.path} cannot be opened ({error}): run `hubbub db check`") from None
        self._files = writer.files
        return writer

    def open_reader(self) -> SQLiteReader:
        if self._files is not None:
            # Under the name there may be another database by now.
            self._files.require()
        return SQLiteReader(self.path, self._files)

    @property
    def problem(self) -> str | None:
        return self._files.problem if self._files is not None else None

    def look(self) -> None:
        if self._files is not None:
            self._files.look()

    def release(self) -> None:
        self._files = None
        self.lock.release()
