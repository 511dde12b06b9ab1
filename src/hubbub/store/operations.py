"""What the person who runs a server does with its database: upgrade, backup, restore, check.

Reading works while the server runs. Whatever writes takes the data directory's lock, and says so if a server has it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from hubbub.errors import ConfigurationError, Unavailable
from hubbub.store import deferred, epochs
from hubbub.store.base import Engine, Reader, Transaction
from hubbub.store.migrate import migrate_sqlite, sqlite_version
from hubbub.store.sqlite import SQLite, SQLiteWriter
from hubbub.store.statement import Statement

Check = Callable[[Transaction], list[str]]
"""Gives a sentence for each thing that is wrong."""

_INTEGRITY = Statement("PRAGMA integrity_check(20)")
_FOREIGN_KEYS = Statement("PRAGMA foreign_key_check")


def upgrade(engine: Engine) -> None:
    """Bring the schema up to date; what is in a SQLite file is copied first. Raises `ConfigurationError`."""
    engine.prepare()
    engine.release()


def backup(engine: Engine, target: Path) -> None:
    """Copy the database, as it is at one moment, into a new file. Raises `ConfigurationError`."""
    sqlite = _sqlite(engine, "back it up with `pg_dump --format=custom`")
    if target.exists():
        raise ConfigurationError(f"{target} exists already: choose another name for the backup")
    part = target.with_name(target.name + ".part")
    try:
        with _kept_open(sqlite), closing(_read_only(sqlite.path)) as source, closing(sqlite3.connect(part)) as copy:
            source.backup(copy)
            # Else what is done to the copy would stand in a log beside it.
            copy.execute("PRAGMA journal_mode=DELETE")
            deferred.do_left(copy)
        part.chmod(0o600)
        _make_durable(part)
        part.replace(target)
    except (OSError, sqlite3.Error) as error:
        raise ConfigurationError(f"the backup {target} cannot be written: {error}") from None
    finally:
        part.unlink(missing_ok=True)


def restore(engine: Engine, source: Path) -> Path | None:
    """Put a backup in the database's place, under a new epoch: clients notice that their positions are of another life.

    Returns where the replaced database is now, if there was one. Raises `ConfigurationError`.
    """
    sqlite = _sqlite(engine, "restore it with `pg_restore`; the next server to start notices, and begins a new epoch")
    if not source.exists():
        raise ConfigurationError(f"there is no file {source}")
    if not _is_backup(source):
        raise ConfigurationError(f"{source} is not a backup of a Hubbub database")
    with sqlite.lock:
        part = sqlite.path.with_name(sqlite.path.name + ".part")
        part.unlink(missing_ok=True)
        try:
            with closing(_read_only(source)) as backup, closing(sqlite3.connect(part)) as copy:
                backup.backup(copy)
                damage = [row[0] for row in copy.execute("PRAGMA integrity_check(1)")]
            if damage != ["ok"]:
                raise ConfigurationError(f"{source} is damaged: {damage[0]}")
            # It belongs to the epoch that ends here.
            with closing(sqlite3.connect(part)) as copy:
                deferred.do_left(copy)
            migrate_sqlite(part)
            _begin_epoch(part)
            _make_durable(part)
            replaced = _set_aside(sqlite.path)
            part.replace(sqlite.path)
        except (OSError, sqlite3.Error) as error:
            raise ConfigurationError(f"{source} cannot be restored: {error}") from None
        finally:
            part.unlink(missing_ok=True)
    return replaced


def check(engine: Engine, *checks: Check) -> list[str]:
    """All that is wrong with the database, by its own checks and those of the features that keep tables in it."""
    with _reader(engine) as reader:
        if isinstance(engine, SQLite):
            try:
                damage = reader.snapshot(_check_file)
            except Unavailable as error:
                damage = [error.message]
            if damage:
                # What the features would find in a damaged file says nothing about them.
                return damage
        return reader.snapshot(lambda transaction: [problem for one in checks for problem in one(transaction)])


def _check_file(transaction: Transaction) -> list[str]:
    damage = [str(row[0]) for row in transaction.rows(_INTEGRITY) if row[0] != "ok"]
    orphans = [f"a row of {row[0]} belongs to no row of {row[2]}" for row in transaction.rows(_FOREIGN_KEYS)]
    return damage + orphans


def _sqlite(engine: Engine, instead: str) -> SQLite:
    if not isinstance(engine, SQLite):
        raise ConfigurationError(f"this database is PostgreSQL's: {instead}")
    return engine


@contextmanager
def _reader(engine: Engine) -> Iterator[Reader]:
    if isinstance(engine, SQLite):
        with _kept_open(engine), closing(engine.open_reader()) as reader:
            yield reader
    else:
        with closing(engine.open_reader()) as reader:
            yield reader


@contextmanager
def _kept_open(engine: SQLite) -> Iterator[None]:
    """See to it that somebody has the file open for writing: SQLite cannot otherwise read a log that it has to make."""
    if not engine.path.exists():
        raise ConfigurationError(f"there is no database in {engine.path.parent.absolute()}")
    try:
        engine.lock.acquire()
    except ConfigurationError:
        # A server runs, and does.
        yield
        return
    try:
        with closing(SQLiteWriter(engine.path)):
            yield
    finally:
        engine.lock.release()


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


def _is_backup(source: Path) -> bool:
    try:
        return sqlite_version(source) is not None
    except sqlite3.Error:
        return False


def _begin_epoch(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode=DELETE")
        database.execute("BEGIN IMMEDIATE")
        epochs.begin(database, "restore")
        database.execute("COMMIT")


def _set_aside(path: Path) -> Path | None:
    if not path.exists():
        return None
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    aside = path.with_name(f"{path.stem}-replaced-{moment}.db")
    # The log first: a database without its log is an older one, a log without its database is nothing.
    for suffix in ("-wal", ""):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.replace(aside.with_name(aside.name + suffix))
    path.with_name(path.name + "-shm").unlink(missing_ok=True)
    return aside


def _make_durable(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
