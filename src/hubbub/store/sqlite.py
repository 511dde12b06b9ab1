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
from hubbub.store import epochs, replacing
from hubbub.store.base import Transaction
from hubbub.store.deferred import DeferredRows, Work
from hubbub.store.directory import DirectoryLock
from hubbub.store.migrate import migrate_sqlite
from hubbub.store.open_files import OpenFiles
from hubbub.store.parts import remove_abandoned
from hubbub.store.statement import BOUND_ROWS, Statement

T = TypeVar("T")

FILE_NAME = "hubbub.db"

CHILD_ENDS = 2.0
"""Seconds for which a start waits for the directory: the child that migrates ends a moment after a killed server."""
BUSY = 1.0
"""Seconds to wait for a lock that another program (a `sqlite3` shell, a backup tool) holds."""
WAL_BYTES = 64 * 1024 * 1024
"""From this size on, the log is emptied even under load, so that it does not slow readers down or fill the disk."""
COMMITS_BEFORE_CHECKPOINT = 100
"""After so many commits without a quiet moment, the log is emptied and written from its start again. It then overwrites
pages that the system has in memory: a commit costs a quarter less CPU than with a growing log, and a checkpoint costs 2
% of that. SQLite's own checkpoint would come in the middle of a commit."""
DEFERRED_FROM = 8
"""From so many rooms in one transaction on, its rows are deferred: each room costs a page."""
ROWS_DEFERRED = 2000
"""The most rows that are deferred before they are moved into their tables, which takes some milliseconds."""
COMMITS_BEFORE_SIZE = 10
"""How many commits may pass between two checks of the log's size."""
CACHE_KIB = 64 * 1024

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
    """The same error for a client, if the database cannot do it now. None for other errors."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    reason = _REASONS.get(code)
    return Unavailable(f"nothing can be stored now: {reason}", retry_after=1000) if reason else None


def check_files(path: Path) -> None:
    """Raises `ConfigurationError` if what SQLite would open is no file: SQLite would wait for ever on a FIFO."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        file = path.with_name(path.name + suffix)
        try:
            check_regular(file)
        except OSError as error:
            raise ConfigurationError(f"{file} cannot be opened: {error.strerror}") from None


class _Connection:
    """Implements `Transaction` on a connection of Python's `sqlite3`."""

    is_alone = True

    def __init__(self, path: Path, *, mode: str) -> None:
        self.memory: dict[str, Any] = {}
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
                self._before_commit()
                self.database.execute("COMMIT")
            except BaseException:
                self.memory.clear()
                # After some errors, such as a full disk, SQLite has rolled back by itself.
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

    def _before_commit(self) -> None:
        """Do what the transaction's work still needs before its commit."""


class _WritingConnection(_Connection):
    """Defers rows, and moves them into their tables before a statement that could see the difference."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, mode="rwc")
        self.deferred = DeferredRows(self.database)
        self._put_off: list[Work] = []
        """The rows that this transaction wrote by deferrable statements, until it commits or another statement runs."""
        self._brings = False
        """Whether this transaction has moved rows into their tables. Then it defers none of its own."""

    def rows(self, statement: Statement, **parameters: Any) -> list[Sequence[Any]]:
        rows = super().rows(statement, **parameters)
        if statement.finds_deferred is not None and not self._brings:
            (wanted,) = parameters.values()
            rows += self.deferred.find(statement, wanted)
        return rows

    def run(self, statement: Statement, **parameters: Any) -> None:
        if statement.deferrable:
            (rows,) = parameters.values()
            self._put_off.append((statement, rows))
        else:
            super().run(statement, **parameters)

    def _execute(self, statement: Statement, parameters: dict[str, Any]) -> sqlite3.Cursor:
        if not statement.never_deferred and (statement.finds_deferred is None or self._put_off):
            self.bring()
        return super()._execute(statement, parameters)

    def bring(self) -> None:
        """Move all rows into their tables: the deferred ones first, then those of this transaction."""
        if self.deferred.number and not self._brings:
            self.deferred.bring()
            self._brings = True
        if self._put_off:
            self._brings = True
            work, self._put_off = self._put_off, []
            for statement, rows in work:
                super()._execute(statement, dict.fromkeys(statement.tables, rows))

    def _before_commit(self) -> None:
        if not self._put_off:
            return
        # If rows are deferred already, a few more cost less than moving all of them now.
        if not self._brings and (self.deferred.number or _pages(self._put_off) >= DEFERRED_FROM):
            self.deferred.put(self._put_off)
        else:
            self.bring()

    def in_transaction(self, begin: str, work: Callable[[Transaction], T]) -> T:
        self._put_off, self._brings = [], False
        result = super().in_transaction(begin, work)
        if self._brings:
            self.deferred.forget()
        self.deferred.remember(self._put_off)
        return result


def _pages(work: Sequence[Work]) -> int:
    """How many pages a statement changes at most, if rows with the same first column share a page."""
    return max(len({row[0] for row in rows}) for _, rows in work)


class SQLiteWriter:
    """The connection that writes, and the only one that checkpoints."""

    def __init__(self, path: Path, *, most_pages: int | None = None) -> None:
        self._wal = path.with_name(path.name + "-wal")
        self._connection = _WritingConnection(path)
        self._commits = 0
        database = self._connection.database
        for pragma in (
            "journal_mode=WAL",
            # Keep the statement journal in memory, not in a temporary file per commit.
            "temp_store=MEMORY",
            "synchronous=FULL",
            "wal_autocheckpoint=0",
            "foreign_keys=ON",
            # Deleted text is overwritten in the file.
            "secure_delete=ON",
        ):
            database.execute(f"PRAGMA {pragma}")
        if most_pages is not None:
            database.execute(f"PRAGMA max_page_count={most_pages}")
        self.files = OpenFiles(path)
        self._connection.deferred.load()
        # Move what a killed server has deferred. If the disk is full, this is tried again before anything is read.
        with contextlib.suppress(Unavailable):
            self._bring_deferred()
        self._is_epoch_due = False

    @property
    def has_deferred(self) -> bool:
        return self._connection.deferred.number > 0

    def begin_epoch(self) -> None:
        """Begin an epoch now. If the disk is full, it begins before anything is written."""
        self._is_epoch_due = True
        with contextlib.suppress(Unavailable):
            self._begin_epoch()

    def transact(self, work: Callable[[Transaction], T]) -> T:
        if self._is_epoch_due:
            self._begin_epoch()
        return self._transact(work)

    def _begin_epoch(self) -> None:
        def begin(_: Transaction) -> None:
            self._connection.bring()
            epochs.begin(self._connection.database, "start")

        self._transact(begin)
        self._is_epoch_due = False

    def _transact(self, work: Callable[[Transaction], T]) -> T:
        if self.files.problem:
            self.files.require()
        result = self._connection.in_transaction("BEGIN IMMEDIATE", work)
        self._commits += 1
        # Checked after the commit: a file that is removed during the commit must not be acked.
        self.files.require()
        return result

    def rest(self, *, idle: bool) -> None:
        if self.files.problem:
            return
        try:
            if idle or self._connection.deferred.number >= ROWS_DEFERRED:
                self._bring_deferred()
        finally:
            # On a full disk, this may make room.
            self._keep_log_short(idle=idle)

    def _keep_log_short(self, *, idle: bool) -> None:
        if not self._commits:
            return
        is_due = idle or self._commits >= COMMITS_BEFORE_CHECKPOINT
        if (is_due or not self._commits % COMMITS_BEFORE_SIZE) and self._log_size() > WAL_BYTES:
            self._checkpoint("TRUNCATE")
        elif is_due:
            self._checkpoint("PASSIVE")

    def _log_size(self) -> int:
        try:
            return self._wal.stat().st_size
        except FileNotFoundError:
            self.files.check()
            return 0

    def _bring_deferred(self) -> None:
        if self.has_deferred:
            self._transact(lambda _: self._connection.bring())

    def _checkpoint(self, mode: str) -> None:
        # A reader or a full disk may keep it from finishing. The next one does the rest.
        with contextlib.suppress(sqlite3.OperationalError):
            self._connection.database.execute(f"PRAGMA wal_checkpoint({mode})")
        self._commits = 0

    def close(self) -> None:
        try:
            # If this fails now, it is done when the file is opened again.
            with contextlib.suppress(Unavailable):
                self._bring_deferred()
        finally:
            # SQLite removes the log by its name then, unless another file has the database's name by now.
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
        self.take_hold(patience=CHILD_ENDS)
        try:
            migrate_sqlite(self.path, self.lock)
        except BaseException:
            self.lock.release()
            raise

    def take_hold(self, *, patience: float = 0.0) -> None:
        """Lock the directory, and finish or remove what a killed program left there. While another process holds
        the lock, it blocks for up to `patience` seconds.

        Raises `ConfigurationError`, `InUseError`.
        """
        self.lock.acquire(patience=patience)
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
            # Another database may have the name by now.
            self._files.require()
        return SQLiteReader(self.path, self._files)

    @property
    def problem(self) -> str | None:
        return self._files.problem if self._files is not None else None

    def probe(self) -> None:
        if self._files is not None:
            self._files.check()

    def release(self) -> None:
        self._files = None
        self.lock.release()
