"""PostgreSQL as an engine: the database for several nodes.

A connection can be lost at any moment, also between a COMMIT and its answer. The transaction's number then tells what
became of it (`pg_xact_status`), so nothing is done twice and nothing is acked that is not there.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic_core import to_json

from hubbub.errors import ConfigurationError, Unavailable
from hubbub.store.base import Transaction, Work
from hubbub.store.migrate import migrate_postgres
from hubbub.store.statement import Statement

try:
    import psycopg
    from psycopg import errors
except ImportError:
    raise ConfigurationError("PostgreSQL needs one more package: pip install 'hubbub[postgres]'") from None

log = logging.getLogger("hubbub")

T = TypeVar("T")

PATIENCE = 10.0
"""Seconds for which a change waits for a database that has gone away. While it is known to be away, none waits."""
PAUSES = (0.02, 0.05, 0.1, 0.2, 0.5)
"""Seconds between attempts; the last one again and again."""
CONNECT_TIMEOUT = 3
SERVER_PATIENCE = 10
"""Seconds until the server gives up a transaction, and its locks, whose node has vanished."""

_AGAIN = (errors.SerializationFailure, errors.DeadlockDetected, errors.LockNotAvailable)
_AWAY = (
    errors.AdminShutdown,
    errors.CrashShutdown,
    errors.CannotConnectNow,
    errors.IdleInTransactionSessionTimeout,
    psycopg.InterfaceError,
)
_CANNOT = (
    errors.DiskFull,
    errors.OutOfMemory,
    errors.TooManyConnections,
    errors.InsufficientResources,
    errors.ReadOnlySqlTransaction,
    errors.QueryCanceled,
    errors.IoError,
)

_SESSION = {
    "idle_in_transaction_session_timeout": f"{SERVER_PATIENCE}s",
    # A plan that was made while a table was small would go on to read the whole of it for as long as it is kept
    # (measured: 16 ms instead of 1 for a message); and all that is done here is a few steps along an index.
    "plan_cache_mode": "force_custom_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}

# Which life of the data it is: a new timeline begins when a standby takes over or an older state of the cluster is
# restored, and a dump that is loaded makes the tables anew.
TIMELINE = """
    SELECT system_identifier || ':' || left(pg_walfile_name(pg_current_wal_lsn()), 8) || ':' || 'epochs'::regclass::oid
    FROM pg_control_system()
"""


class _Connection:
    """Implements `Transaction` on a connection of psycopg."""

    is_alone = False
    has_deferred = False

    def __init__(self, url: str) -> None:
        self.memory: dict[str, Any] = {}
        self.memory_of_deferred: dict[str, Any] = {}
        self.database = psycopg.connect(
            url,
            autocommit=True,
            connect_timeout=CONNECT_TIMEOUT,
            application_name="hubbub",
            keepalives_idle=SERVER_PATIENCE,
            tcp_user_timeout=SERVER_PATIENCE * 1000,
        )
        self._compiled: dict[Statement, str] = {}
        try:
            self._set_up()
        except BaseException:
            self.close()
            raise

    def _set_up(self) -> None:
        for setting, value in _SESSION.items():
            self.database.execute(f"SET {setting} = '{value}'".encode())
        # An ack means durable, whatever the server's default is.
        self.database.execute(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
        )

    @property
    def is_lost(self) -> bool:
        return self.database.closed or self.database.broken

    def rows(self, statement: Statement, **parameters: Any) -> list[Sequence[Any]]:
        return list(self._execute(statement, parameters).fetchall())

    def run(self, statement: Statement, **parameters: Any) -> None:
        self._execute(statement, parameters)

    def defer(self, work: Sequence[Work]) -> bool:
        for statement, rows in work:
            self.run(statement, **dict.fromkeys(statement.tables, rows))
        return False

    def do_deferred(self) -> None:
        """There is never any."""

    def _execute(self, statement: Statement, parameters: dict[str, Any]) -> psycopg.Cursor[Any]:
        sql = self._compiled.get(statement)
        if sql is None:
            sql = self._compiled[statement] = statement.for_postgres()
        for name in statement.tables:
            parameters[name] = to_json(parameters[name]).decode()
        return self.database.execute(sql.encode(), parameters)

    def begin(self) -> str:
        """Begin a transaction. Gives its number, by which its end can be learned later."""
        cursor = self.database.execute(b"BEGIN; SELECT pg_current_xact_id()::text", prepare=False)
        cursor.nextset()
        row = cursor.fetchone()
        assert row is not None
        return str(row[0])

    def transaction_status(self, number: str) -> str | None:
        """`committed` or `aborted`; None while it is not decided."""
        try:
            row = self.database.execute("SELECT pg_xact_status(%s::text::xid8)", (number,)).fetchone()
        except errors.InvalidParameterValue:
            # This server has never come so far: it has lost the transaction.
            return "aborted"
        return row[0] if row is not None and row[0] != "in progress" else None

    def close(self) -> None:
        with contextlib.suppress(psycopg.Error):
            self.database.close()


class _Again(Exception):
    """Nothing was done, and the same may well succeed now. Its cause says what was in the way."""


class PostgresWriter:
    """The connection that writes. It comes back by itself when it is lost."""

    has_deferred = False

    def __init__(self, url: str, *, patience: float = PATIENCE) -> None:
        self._url = url
        self._patience = patience
        self._is_away = False
        self._timeline = ""
        self._connection: _Connection | None = self._open()

    def transact(self, work: Callable[[Transaction], T]) -> T:
        attempts = _Attempts(0.0 if self._is_away else self._patience)
        while True:
            try:
                result = self._attempt(work, attempts)
            except _Again as again:
                if not attempts.another():
                    self._is_away = True
                    raise _away(again.__cause__) from again.__cause__
            else:
                self._is_away = False
                return result

    def _attempt(self, work: Callable[[Transaction], T], attempts: _Attempts) -> T:
        try:
            connection = self._connected()
        except psycopg.OperationalError as error:
            raise _Again from error
        try:
            number = connection.begin()
            result = work(connection)
        except BaseException as error:
            self._end(connection, error)
            raise
        try:
            connection.database.execute(b"COMMIT")
        except psycopg.Error as error:
            if not connection.is_lost or not self._was_committed(number, attempts):
                self._end(connection, error)
                raise
        return result

    def _end(self, connection: _Connection, error: BaseException) -> None:
        """Put the connection in order after an error that ended the transaction.

        Raises `_Again` if it may be repeated, `Unavailable` if the database cannot do it now.
        """
        connection.memory.clear()
        if not connection.is_lost and not isinstance(error, _AWAY):
            with contextlib.suppress(psycopg.Error):
                connection.database.execute(b"ROLLBACK")
        if connection.is_lost or isinstance(error, _AWAY):
            self._drop()
            raise _Again from error
        if isinstance(error, _AGAIN):
            raise _Again from error
        if isinstance(error, _CANNOT):
            raise Unavailable(f"nothing can be stored now: {_first_line(error)}", retry_after=1000) from error

    def _was_committed(self, number: str, attempts: _Attempts) -> bool:
        """What became of a transaction whose COMMIT got no answer. Raises `Unavailable` if that cannot be learned."""
        timeline = self._timeline
        self._drop()
        status = None
        while status not in {"committed", "aborted"}:
            try:
                status = self._connected().transaction_status(number)
            except psycopg.OperationalError:
                self._drop()
            # Another timeline counts its transactions anew, so the number would mean another one there.
            if self._timeline != timeline or (status is None and not attempts.another()):
                self._is_away = self._connection is None
                raise Unavailable("the database went away; it is not known whether this was stored", retry_after=1000)
        return status == "committed"

    def _connected(self) -> _Connection:
        if self._connection is None:
            self._connection = self._open()
            log.info("the database is back")
        return self._connection

    def _open(self) -> _Connection:
        connection = _Connection(self._url)
        try:
            self._timeline = _settle_epoch(connection.database)
        except BaseException:
            connection.close()
            raise
        return connection

    def _drop(self) -> None:
        if self._connection is not None:
            log.warning("the connection to the database is lost")
            self._connection.close()
            self._connection = None

    def rest(self, *, idle: bool) -> None:
        """PostgreSQL looks after itself."""

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


class PostgresReader:
    """A connection for reading. It comes back by itself when it is lost."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: _Connection | None = None

    def snapshot(self, work: Callable[[Transaction], T]) -> T:
        if self._connection is not None:
            # It may have been lost long ago, and it is seen only now: then once more, on a new one.
            with contextlib.suppress(psycopg.OperationalError):
                return self._read(work)
        try:
            return self._read(work)
        except psycopg.OperationalError as error:
            raise _away(error) from error

    def _read(self, work: Callable[[Transaction], T]) -> T:
        if self._connection is None:
            self._connection = _Connection(self._url)
        connection = self._connection
        try:
            connection.database.execute(b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            result = work(connection)
            connection.database.execute(b"COMMIT")
        except BaseException:
            try:
                connection.database.execute(b"ROLLBACK")
            except psycopg.Error:
                connection.close()
                self._connection = None
            raise
        return result

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


class Postgres:
    """A database at a `postgresql://` address. `patience` is in seconds: how long a change waits for its return."""

    is_shared = True

    def __init__(self, url: str, *, patience: float = PATIENCE) -> None:
        self.url = url.replace("postgres://", "postgresql://", 1)
        self._patience = patience

    def prepare(self) -> None:
        try:
            migrate_postgres(self.url)
        except psycopg.OperationalError as error:
            address = urlsplit(self.url)
            raise ConfigurationError(
                f"PostgreSQL at {address.hostname or 'localhost'}:{address.port or 5432}{address.path} "
                f"cannot be reached ({_first_line(error)}): check HUBBUB_DATABASE_URL"
            ) from None

    def open_writer(self) -> PostgresWriter:
        return PostgresWriter(self.url, patience=self._patience)

    def open_reader(self) -> PostgresReader:
        return PostgresReader(self.url)

    def release(self) -> None:
        """Nothing is held between connections."""


class _Attempts:
    """Waits longer and longer between attempts, until its patience is at an end."""

    def __init__(self, patience: float) -> None:
        self._deadline = time.monotonic() + patience
        self._made = 0

    def another(self) -> bool:
        """Wait a while. False, without waiting, if there has been enough of it."""
        pause = PAUSES[min(self._made, len(PAUSES) - 1)]
        if time.monotonic() + pause > self._deadline:
            return False
        self._made += 1
        time.sleep(pause)
        return True


def _settle_epoch(database: psycopg.Connection[Any]) -> str:
    """Begin a new epoch if the cluster is not the one that wrote last: it may have lost the latest changes.

    Returns the cluster's timeline.
    """
    row = database.execute(TIMELINE).fetchone()
    assert row is not None
    timeline = str(row[0])
    with database.transaction():
        latest = database.execute(
            "SELECT number, timeline FROM epochs ORDER BY number DESC LIMIT 1 FOR UPDATE"
        ).fetchone()
        assert latest is not None
        number, known = latest
        if known is None:
            database.execute("UPDATE epochs SET timeline = %s WHERE number = %s", (timeline, number))
        elif known != timeline:
            log.warning("PostgreSQL has failed over or was restored: a new epoch begins, and clients start over")
            database.execute(
                "INSERT INTO epochs (number, name, origin, began, timeline) VALUES (%s, %s, 'failover', %s, %s)"
                " ON CONFLICT DO NOTHING",
                (number + 1, secrets.token_hex(6), time.time_ns() // 1_000_000, timeline),
            )
    return timeline


def _away(error: BaseException | None) -> Unavailable:
    return Unavailable(f"the database cannot be reached: {_first_line(error)}", retry_after=1000)


def _first_line(error: BaseException | None) -> str:
    return str(error).strip().partition("\n")[0]
