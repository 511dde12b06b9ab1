"""Brings a database's schema up to date when it is opened.

Alembic and SQLAlchemy are imported only where there is something to do: they take longer to import than the rest of a
start takes. For SQLite, a process of its own does it, since the server would keep the 27 MB of memory that they take.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubbub.errors import ConfigurationError
from hubbub.store import deferred, epochs
from hubbub.store.directory import DirectoryLock
from hubbub.store.migrations import HEAD, VERSIONS
from hubbub.store.parts import whole_file

if TYPE_CHECKING:
    from sqlalchemy import Connection

log = logging.getLogger("hubbub")

SCRIPTS = Path(__file__).parent / "migrations"
VERSION_QUERY = "SELECT version_num FROM alembic_version"
SCHEMA_VERSION = HEAD
"""The version of the schema that `migrations/sqlite.sql` makes."""
COPIES = 3
"""How many copies from before upgrades are kept: the newest ones."""
LOCK_IN_POSTGRES = 0x68756262
"""The advisory lock (an arbitrary number) under which one node migrates and the others wait."""
MIGRATING = 300.0
"""Seconds that the other nodes wait."""


def migrate_sqlite(path: Path, lock: DirectoryLock, *, keeps_copy: bool = True) -> Path | None:
    """Upgrade the file, or make it. Before an upgrade it is copied. Returns the copy, if there is one.

    The caller holds `lock`, that of the data directory. Raises `ConfigurationError`.
    """
    try:
        version = sqlite_version(path, mode="rw")
        is_new = version is None
        if is_new:
            _make_sqlite(path)
            version = SCHEMA_VERSION
        if version == HEAD:
            return None
        # Check this before anything is written: a server that is started again and again must not fill the disk with
        # copies.
        if version not in VERSIONS:
            raise ConfigurationError(_newer(f"{path}: schema {version}"))
        copy = None
        if not is_new:
            # Rows that a killed server has deferred belong to the schema before the upgrade.
            with closing(sqlite3.connect(path)) as database:
                deferred.bring_left(database)
            if keeps_copy:
                copy = _copy_before_upgrade(path, str(version))
    except (OSError, sqlite3.Error) as error:
        raise ConfigurationError(f"{path} cannot be opened: {error}") from None
    # The child holds the lock too: if this process is killed, nobody begins before the child has ended.
    upgraded = upgrade_in_child(path, SCRIPTS, descriptors=lock.share_with_child())
    if upgraded.returncode:
        if copy is not None:
            copy.unlink(missing_ok=True)
        raise ConfigurationError(f"{path} cannot be upgraded: {upgraded.stderr.strip()}")
    return copy


def upgrade_in_child(
    path: Path, scripts: Path, *, descriptors: tuple[int, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Upgrade the file in a process that ends when this one does, however it ends. It inherits the descriptors."""
    theirs, ours = os.pipe()
    try:
        return subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", __name__, str(path), str(scripts)],
            stdin=theirs,
            capture_output=True,
            text=True,
            check=False,
            pass_fds=descriptors,
        )
    finally:
        os.close(ours)
        os.close(theirs)


def _end_with_parent() -> None:
    """Wait for the end of standard input: the parent holds the other end of the pipe, and writes nothing. SQLite takes
    back what was not committed, as after a crash."""
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


def _make_sqlite(path: Path) -> None:
    """An empty file gets the whole schema at once, and its first epoch."""
    schema = (Path(__file__).parent / "migrations" / "sqlite.sql").read_text()
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.executescript(f"BEGIN IMMEDIATE;\n{schema}")
        epochs.begin(database, "new")
        database.execute("INSERT INTO alembic_version VALUES (?)", (SCHEMA_VERSION,))
        database.execute("COMMIT")


def _upgrade_sqlite(path: str, scripts: Path) -> None:
    from sqlalchemy import create_engine, event

    engine = create_engine(f"sqlite:///{path}", connect_args={"isolation_level": None})
    # Python's sqlite3 would begin a transaction only at the first INSERT, after the first CREATE TABLE.
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    try:
        with engine.begin() as connection:
            _upgrade(connection, scripts)
    finally:
        engine.dispose()


def sqlite_version(path: Path, *, mode: str = "ro") -> str | None:
    """The schema's version; None for an empty or missing file. Raises `sqlite3.Error`.

    A caller that holds the directory's lock gives `rw` as `mode`: then a rollback journal that a killed program left is
    rolled back. A caller that only reads could not do that, and would be refused until somebody does it.
    """
    if not path.exists():
        return None
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True)) as database:
        if not database.execute("SELECT 1 FROM sqlite_schema WHERE name = 'alembic_version'").fetchone():
            return None
        row = database.execute(VERSION_QUERY).fetchone()
        return str(row[0]) if row else None


def migrate_postgres(url: str, options: Mapping[str, Any], *, lock_timeout: float) -> None:
    """Upgrade the database at a `postgresql://` address, while other nodes wait. `options` are for the connection.

    Raises `ConfigurationError`, also if another program holds a needed lock for longer than `lock_timeout` seconds, and
    psycopg's `OperationalError` if the server cannot be reached.
    """
    if postgres_version(url, **options) == HEAD:
        return
    import psycopg
    from psycopg.errors import LockNotAvailable
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import DBAPIError

    log.info("the database's schema is upgraded as soon as no other server upgrades it")
    # SQLAlchemy reads fewer addresses than PostgreSQL's own library: not those that name several servers. Nothing is
    # prepared, since a pooler may give the next transaction another connection.
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(url, prepare_threshold=None, **options)
    )
    try:
        with engine.begin() as connection:
            connection.execute(text(f"SET LOCAL lock_timeout = {round(MIGRATING * 1000)}"))
            # Alembic reads the schema's version only now, so a node that waited finds nothing left to do.
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK_IN_POSTGRES})
            connection.execute(text(f"SET LOCAL lock_timeout = {round(lock_timeout * 1000)}"))
            _upgrade(connection, SCRIPTS)
    except DBAPIError as error:
        if isinstance(error.orig, LockNotAvailable):
            raise ConfigurationError(
                "the database's schema cannot be upgraded: another program holds a lock in it"
            ) from None
        raise (error.orig or error) from None
    finally:
        engine.dispose()


def postgres_version(url: str, **options: Any) -> str | None:
    """The schema's version; None for an empty database."""
    import psycopg

    with psycopg.connect(url, **options) as database:
        found = database.execute("SELECT to_regclass('alembic_version') IS NOT NULL").fetchone()
        if found != (True,):
            return None
        row = database.execute(VERSION_QUERY).fetchone()
        return str(row[0]) if row else None


def _upgrade(connection: Connection, scripts: Path) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(scripts))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise ConfigurationError(_newer(str(error))) from None


def _newer(what: str) -> str:
    return f"the database was made by a newer Hubbub ({what}): install that version, or restore an older backup"


def _copy_before_upgrade(path: Path, version: str) -> Path:
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    copy = path.with_name(f"{path.stem}-{version}-{moment}.db")
    with whole_file(copy) as part, closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(part)) as target:
        source.backup(target)
    log.info("the database is upgraded from %s to %s; it was copied to %s", version, HEAD, copy)
    of_upgrades = [one for known in VERSIONS for one in path.parent.glob(f"{path.stem}-{known}-*.db")]
    for old in sorted(of_upgrades, key=lambda one: one.stat().st_mtime_ns)[:-COPIES]:
        old.unlink(missing_ok=True)
    return copy


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        _upgrade_sqlite(sys.argv[1], Path(sys.argv[2]))
    except Exception as error:  # noqa: BLE001 - whatever it is, the server that asked says it
        sys.exit(str(error))
