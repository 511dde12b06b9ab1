"""What the person who runs a server does with its database: upgrade, backup, restore, check.

Reading works while the server runs. What writes needs the data directory's lock, and says so if a server holds it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

from hubbub.errors import ConfigurationError, Unavailable
from hubbub.store import deferred, epochs, replacing
from hubbub.store.base import Engine, Reader, Transaction
from hubbub.store.directory import InUseError
from hubbub.store.migrate import migrate_sqlite, sqlite_version
from hubbub.store.migrations import HEAD, VERSIONS
from hubbub.store.parts import whole_file
from hubbub.store.sqlite import SQLite, SQLiteWriter
from hubbub.store.statement import Statement

Check = Callable[[Transaction], list[str]]
"""Returns a sentence for each thing that is wrong."""

_INTEGRITY = Statement("PRAGMA integrity_check(20)")
_FOREIGN_KEYS = Statement("PRAGMA foreign_key_check")


def upgrade(engine: Engine) -> None:
    """Bring the schema up to date. A SQLite file is copied first. Raises `ConfigurationError`."""
    engine.prepare()
    engine.release()


def backup(engine: Engine, target: Path) -> None:
    """Copy the database, as it is at one moment, into a new file. Raises `ConfigurationError`, also if the copy shows
    that the database is damaged."""
    sqlite = _sqlite(engine, "back it up with `pg_dump --format=custom`")
    if target.exists():
        raise ConfigurationError(f"{target} exists already: choose another name for the backup")
    try:
        with (
            _held(sqlite) as mode,
            whole_file(target) as part,
            closing(_opened(sqlite.path, mode)) as source,
            closing(sqlite3.connect(part)) as copy,
        ):
            if sqlite_version(sqlite.path, mode=mode) is None:
                raise ConfigurationError(f"{sqlite.path} is not a database of Hubbub's")
            source.backup(copy)
            # Otherwise changes of the copy would be in a write-ahead log beside it.
            copy.execute("PRAGMA journal_mode=DELETE")
            deferred.bring_left(copy)
            if damage := _damage(copy):
                raise ConfigurationError(f"{sqlite.path} is damaged, so there is no backup: {damage}")
    except OSError as error:
        raise ConfigurationError(f"the backup {target} cannot be written: {error.strerror}") from None
    except sqlite3.Error as error:
        if _is_damage(error):
            raise ConfigurationError(f"{sqlite.path} is damaged, so there is no backup: {error}") from None
        raise ConfigurationError(f"the backup {target} cannot be written: {error}") from None


def restore(engine: Engine, source: Path) -> Path | None:
    """Put a backup in the database's place, and begin a new epoch, so that clients notice it.

    Returns where the replaced database is now, if there was one. Raises `ConfigurationError`.
    """
    sqlite = _sqlite(engine, "restore it with `pg_restore`; the next server to start notices, and begins a new epoch")
    if not source.exists():
        raise ConfigurationError(f"there is no file {source}")
    if not source.is_file() or not _is_backup(source):
        raise ConfigurationError(f"{source} is not a backup of a Hubbub database")
    sqlite.take_hold()
    try:
        with whole_file(replacing.restored(sqlite.path)) as part:
            with closing(_opened(source, "ro")) as backup, closing(sqlite3.connect(part)) as copy:
                backup.backup(copy)
                if damage := _damage(copy):
                    raise ConfigurationError(f"{source} is damaged: {damage}")
                # These rows belong to the epoch that ends here.
                deferred.bring_left(copy)
            migrate_sqlite(part, sqlite.lock, keeps_copy=False)
            _begin_epoch(part)
        return replacing.finish(sqlite.path)
    except (OSError, sqlite3.Error) as error:
        raise ConfigurationError(f"{source} cannot be restored: {error}") from None
    finally:
        sqlite.lock.release()


def check(engine: Engine, *checks: Check) -> list[str]:
    """Everything that is wrong with the database, as its own checks and those of the features find it.

    Raises `ConfigurationError` if it cannot be read.
    """
    if not isinstance(engine, SQLite):
        with closing(engine.open_reader()) as reader:
            return reader.snapshot(lambda transaction: _all_problems(transaction, checks))
    try:
        with _held(engine) as mode, _readable(engine, mode) as reader:
            # In a damaged file, the features' checks would mean nothing.
            return reader.snapshot(_check_file) or reader.snapshot(
                lambda transaction: _all_problems(transaction, checks)
            )
    except Unavailable as error:
        if error.__cause__ is None or not _is_damage(error.__cause__):
            raise ConfigurationError(f"{engine.path} cannot be checked: {error.message}") from None
        return [f"{engine.path} is damaged: {error.__cause__}"]
    except sqlite3.Error as error:
        if not _is_damage(error):
            raise ConfigurationError(f"{engine.path} cannot be checked: {error}") from None
        return [f"{engine.path} is damaged, or is no database of Hubbub's: {error}"]


def _all_problems(transaction: Transaction, checks: Sequence[Check]) -> list[str]:
    return [problem for one in checks for problem in one(transaction)]


def _check_file(transaction: Transaction) -> list[str]:
    damage = [str(row[0]) for row in transaction.rows(_INTEGRITY) if row[0] != "ok"]
    orphans = [f"a row of {row[0]} belongs to no row of {row[2]}" for row in transaction.rows(_FOREIGN_KEYS)]
    return damage + orphans


def _sqlite(engine: Engine, instead: str) -> SQLite:
    if not isinstance(engine, SQLite):
        raise ConfigurationError(f"this database is PostgreSQL's: {instead}")
    return engine


@contextmanager
def _held(engine: SQLite) -> Iterator[str]:
    """Yields how the file may be opened: `rw` while this process holds the data directory, `ro` if a server does."""
    folder = engine.path.parent.absolute()
    if not engine.path.exists() and not replacing.restored(engine.path).exists():
        raise ConfigurationError(f"there is no database in {folder}")
    if engine.path.exists() and not engine.path.is_file():
        raise ConfigurationError(f"{engine.path} is not a file, so it is no database")
    try:
        engine.take_hold()
    except InUseError:
        yield "ro"
        return
    except ConfigurationError as error:
        raise ConfigurationError(
            f"{folder} has to be writable, also for who only reads the database: do this as the server's user, "
            f"or on a copy of the directory ({error})"
        ) from None
    try:
        yield "rw"
    finally:
        engine.lock.release()


@contextmanager
def _readable(engine: SQLite, mode: str) -> Iterator[Reader]:
    """A reader of a database that has this version's schema."""
    version = sqlite_version(engine.path, mode=mode)
    if version is None:
        raise ConfigurationError(f"{engine.path} is not a database of Hubbub's")
    if version not in VERSIONS:
        with closing(_opened(engine.path, mode)) as database:
            if damage := _damage(database):
                raise ConfigurationError(f"{engine.path} is damaged: {damage}")
        raise ConfigurationError(f"{engine.path} was made by a newer Hubbub (schema {version}): use that version")
    if version != HEAD:
        raise ConfigurationError(
            f"{engine.path} was made by an older Hubbub (schema {version}): run `hubbub db upgrade` first, "
            "or start the server once"
        )
    # A connection must have the file open for writing. Otherwise SQLite cannot read the file if there is no write-ahead
    # log yet.
    with nullcontext() if mode == "ro" else closing(SQLiteWriter(engine.path)), closing(engine.open_reader()) as reader:
        yield reader


def _opened(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True)


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


def _damage(database: sqlite3.Connection) -> str | None:
    """The first thing that is wrong with a file, if there is any."""
    (found,) = database.execute("PRAGMA integrity_check(1)").fetchone()
    return None if found == "ok" else str(found)


def _is_damage(error: BaseException) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
