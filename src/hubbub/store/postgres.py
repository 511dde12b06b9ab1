"""PostgreSQL as an engine: the database for several nodes.

A connection can be lost at any moment, also between a COMMIT and its answer. The transaction's number then tells what
became of it (`pg_xact_status`), so nothing is done twice and nothing is acked that is not there.
"""

from __future__ import annotations

import contextlib
import logging
import math
import secrets
import time
from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic_core import to_json

from hubbub.errors import ConfigurationError, Unavailable
from hubbub.store.base import TIMEOUT, Transaction
from hubbub.store.migrate import migrate_postgres
from hubbub.store.statement import Statement

try:
    import psycopg
    from psycopg import errors
except ImportError:
    raise ConfigurationError("PostgreSQL needs one more package: pip install 'hubbub[postgres]'") from None

log = logging.getLogger("hubbub")

T = TypeVar("T")

PAUSES = (0.02, 0.05, 0.1, 0.2, 0.5)
"""Seconds between attempts; the last one again and again."""
SETTLED_BEFORE = 0.8
"""The part of its time after which a change is given up, so that whoever asked hears why before their time is over."""
SETTLED_WHILE_AWAY = 0.4
"""The same while the database is known to be away: nobody waits for its return then."""
LOCKED = 0.25
"""The part of its time that a change waits for one lock."""
CONNECT_TIMEOUT = 3

_AGAIN = (errors.SerializationFailure, errors.DeadlockDetected, errors.LockNotAvailable)
_AWAY = (
    errors.AdminShutdown,
    errors.CrashShutdown,
    errors.CannotConnectNow,
    errors.IdleInTransactionSessionTimeout,
    psycopg.InterfaceError,
)
_CANNOT = {
    errors.DiskFull: "its disk is full",
    errors.OutOfMemory: "its memory is full",
    errors.TooManyConnections: "it has too many connections",
    errors.InsufficientResources: "it lacks resources",
    errors.ReadOnlySqlTransaction: "it is read-only",
    errors.ObjectNotInPrerequisiteState: "it is a standby",
    errors.QueryCanceled: "it takes too long",
    errors.IoError: "its disk cannot be read or written",
}
"""What the database may be unable to do, and the words in which a client hears of it. The log has PostgreSQL's own."""

_SESSION = {
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


class _TooLate(psycopg.OperationalError):
    """The database did not answer in time."""


class _Link(psycopg.Connection[Any]):
    """A connection that is not waited for beyond its deadline: a server that is frozen answers nothing, and its machine
    goes on to acknowledge what is sent, so that TCP has nothing to complain of."""

    deadline = math.inf
    """By `time.monotonic()`."""

    def wait(self, gen: Generator[Any, Any, T], *arguments: Any, **options: Any) -> T:
        try:
            return super().wait(self._until_deadline(gen), *arguments, **options)
        except _TooLate:
            # What it was asked may still be answered, to somebody who asks something else.
            self.close()
            raise

    def _until_deadline(self, gen: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
        # psycopg comes back ten times a second, with nothing, while it waits for the server.
        ready = None
        while True:
            try:
                wanted = gen.send(ready)
            except StopIteration as stop:
                result: T = stop.value
                return result
            ready = yield wanted
            if time.monotonic() > self.deadline:
                gen.close()
                raise _TooLate("it does not answer")


class _Connection:
    """Implements `Transaction` on a connection of psycopg. `deadline` is for its opening; then set one for each use."""

    is_alone = False

    def __init__(self, url: str, timeout: float, deadline: float) -> None:
        self.memory: dict[str, Any] = {}
        self.database = _Link.connect(url, autocommit=True, **connection_options(timeout))
        self.database.deadline = deadline
        self._compiled: dict[Statement, str] = {}
        try:
            self._set_up(timeout)
        except BaseException:
            self.close()
            raise

    def _set_up(self, timeout: float) -> None:
        # The server's own limits, so that a node which is gone or has given up leaves no lock behind.
        limits = {
            "idle_in_transaction_session_timeout": timeout,
            "statement_timeout": timeout,
            "lock_timeout": timeout * LOCKED,
        }
        settings = _SESSION | {name: f"{round(seconds * 1000)}ms" for name, seconds in limits.items()}
        for setting, value in settings.items():
            self.database.execute(f"SET {setting} = '{value}'".encode())
        # An ack means durable, whatever the server's default is.
        self.database.execute(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
        )

    def set_deadline(self, deadline: float) -> None:
        """Until when the next statements must have their answers, by `time.monotonic()`."""
        self.database.deadline = deadline

    @property
    def is_lost(self) -> bool:
        return self.database.closed or self.database.broken

    def rows(self, statement: Statement, **parameters: Any) -> list[Sequence[Any]]:
        return list(self._execute(statement, parameters).fetchall())

    def run(self, statement: Statement, **parameters: Any) -> None:
        self._execute(statement, parameters)

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

    def __init__(self, url: str, *, timeout: float = TIMEOUT) -> None:
        self._url = url
        self._timeout = timeout
        self._is_away = False
        self._is_in_trouble = False
        """The log has said so already."""
        self._timeline = ""
        self._connection: _Connection | None = self._open(time.monotonic() + timeout)

    def transact(self, work: Callable[[Transaction], T]) -> T:
        part = SETTLED_WHILE_AWAY if self._is_away else SETTLED_BEFORE
        attempts = _Attempts(self._timeout * part, may_repeat=not self._is_away)
        while True:
            try:
                result = self._attempt(work, attempts)
            except _Again as again:
                if not attempts.another():
                    raise self._give_up(again.__cause__) from again.__cause__
            else:
                if self._is_in_trouble:
                    log.info("the database is back")
                self._is_away = self._is_in_trouble = False
                return result

    def _attempt(self, work: Callable[[Transaction], T], attempts: _Attempts) -> T:
        try:
            connection = self._connected(attempts)
        except psycopg.OperationalError as error:
            raise _Again from error
        except psycopg.Error as error:
            reason = unavailable(error)
            if reason is None:
                raise
            self._complain(error)
            raise reason from error
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
        reason = unavailable(error)
        if reason is not None:
            self._complain(error)
            if isinstance(error, errors.ReadOnlySqlTransaction):
                # Where the address names several servers, another one may be the one that writes by now.
                self._drop()
            raise reason from error

    def _was_committed(self, number: str, attempts: _Attempts) -> bool:
        """What became of a transaction whose COMMIT got no answer. Raises `Unavailable` if that cannot be learned."""
        timeline = self._timeline
        self._drop()
        attempts.deadline = max(attempts.deadline, time.monotonic() + self._timeout * (1 - SETTLED_BEFORE))
        status = None
        while status not in {"committed", "aborted"}:
            try:
                status = self._connected(attempts).transaction_status(number)
            except psycopg.Error as error:
                self._complain(error)
                self._drop()
            # Another timeline counts its transactions anew, so the number would mean another one there.
            if self._timeline != timeline or (status is None and not attempts.another()):
                self._is_away = self._connection is None
                raise Unavailable("the database went away; it is not known whether this was stored", retry_after=1000)
        return status == "committed"

    def _give_up(self, error: BaseException | None) -> Unavailable:
        self._complain(error)
        self._is_away = True
        if isinstance(error, _AGAIN):
            return Unavailable("nothing can be stored now: the database is locked", retry_after=1000)
        return _away()

    def _complain(self, error: BaseException | None) -> None:
        if not self._is_in_trouble:
            log.warning("the database cannot be written to: %s", _first_line(error))
        self._is_in_trouble = True

    def _connected(self, attempts: _Attempts) -> _Connection:
        if self._connection is None:
            self._connection = self._open(attempts.deadline)
        self._connection.set_deadline(attempts.deadline)
        return self._connection

    def _open(self, deadline: float) -> _Connection:
        connection = _Connection(self._url, self._timeout, deadline)
        try:
            self._timeline = _settle_epoch(connection.database)
        except BaseException:
            connection.close()
            raise
        return connection

    def _drop(self) -> None:
        if self._connection is not None:
            if not self._is_in_trouble:
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

    def __init__(self, url: str, *, timeout: float = TIMEOUT) -> None:
        self._url = url
        self._timeout = timeout
        self._is_away = False
        self._connection: _Connection | None = None

    def snapshot(self, work: Callable[[Transaction], T]) -> T:
        deadline = time.monotonic() + self._timeout * SETTLED_BEFORE
        had_connection = self._connection is not None
        try:
            try:
                result = self._read(work, deadline)
            except psycopg.OperationalError:
                # It may have been lost long ago, and it is seen only now: then once more, on a new one.
                if not had_connection or self._connection is not None or time.monotonic() > deadline:
                    raise
                result = self._read(work, deadline)
        except psycopg.Error as error:
            reason = unavailable(error) or (_away() if isinstance(error, psycopg.OperationalError) else None)
            if reason is None:
                raise
            if not self._is_away:
                log.warning("the database cannot be read: %s", _first_line(error))
            self._is_away = True
            raise reason from error
        self._is_away = False
        return result

    def _read(self, work: Callable[[Transaction], T], deadline: float) -> T:
        if self._connection is None:
            self._connection = _Connection(self._url, self._timeout, deadline)
        connection = self._connection
        connection.set_deadline(deadline)
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
    """A database at a `postgresql://` address. `timeout` is in seconds: how long it is waited for before a change or a
    read is given up."""

    is_shared = True
    problem = None

    def __init__(self, url: str, *, timeout: float = TIMEOUT) -> None:
        self.url = url.replace("postgres://", "postgresql://", 1)
        self._timeout = timeout

    @property
    def place(self) -> str:
        address = urlsplit(self.url)
        return f"PostgreSQL at {address.hostname or 'localhost'}:{address.port or 5432}{address.path}"

    def prepare(self) -> None:
        try:
            migrate_postgres(self.url, connection_options(self._timeout), lock_timeout=self._timeout)
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                f"{error.name} is not installed, which the database needs: pip install 'hubbub[server,postgres]'"
            ) from None
        except psycopg.OperationalError as error:
            raise ConfigurationError(
                f"{self.place} cannot be reached ({_first_line(error)}): check HUBBUB_DATABASE_URL"
            ) from None

    def look(self) -> None:
        """A database that is away comes back without anybody's doing here."""

    def open_writer(self) -> PostgresWriter:
        return PostgresWriter(self.url, timeout=self._timeout)

    def open_reader(self) -> PostgresReader:
        return PostgresReader(self.url, timeout=self._timeout)

    def release(self) -> None:
        """Nothing is held between connections."""


def connection_options(timeout: float) -> dict[str, Any]:
    """How a connection notices that the other machine is gone, in about `timeout` seconds."""
    return {
        "application_name": "hubbub",
        "connect_timeout": max(2, min(CONNECT_TIMEOUT, round(timeout))),
        "keepalives_idle": max(1, round(timeout / 2)),
        "keepalives_interval": max(1, round(timeout / 6)),
        "keepalives_count": 3,
        "tcp_user_timeout": round(timeout * 1000),
    }


class _Attempts:
    """Waits longer and longer between attempts, until its time is over. If it `may_repeat` none, there is only one."""

    def __init__(self, seconds: float, *, may_repeat: bool) -> None:
        self.deadline = time.monotonic() + seconds
        self._may_repeat = may_repeat
        self._made = 0

    def another(self) -> bool:
        """Wait a while. False, without waiting, if there has been enough of it."""
        pause = PAUSES[min(self._made, len(PAUSES) - 1)]
        if not self._may_repeat or time.monotonic() + pause > self.deadline:
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


def unavailable(error: BaseException) -> Unavailable | None:
    """The same error for a client, if it is the database that cannot do it now. The log has PostgreSQL's own words."""
    for kind, reason in _CANNOT.items():
        if isinstance(error, kind):
            return Unavailable(f"the database cannot do this now: {reason}", retry_after=1000)
    return None


def _away() -> Unavailable:
    return Unavailable("the database cannot be reached", retry_after=1000)


def _first_line(error: BaseException | None) -> str:
    return str(error).strip().partition("\n")[0]
