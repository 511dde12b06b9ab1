"""PostgreSQL as an engine: the database for several nodes.

A connection can be lost at any moment, also between a COMMIT and its answer. Then the transaction's number tells
whether it was committed (`pg_xact_status`), so nothing is done twice, and nothing is acked that is not stored.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import time
from collections.abc import Callable
from typing import Any, TypeVar

from hubbub.errors import ConfigurationError, Invalid, Unavailable
from hubbub.store.base import TIMEOUT, Transaction
from hubbub.store.migrate import migrate_postgres

try:
    import psycopg
    from psycopg import errors
    from psycopg.conninfo import conninfo_to_dict

    from hubbub.store.postgres_connection import TIMELINE, Connection, connection_options
except ImportError:
    raise ConfigurationError("PostgreSQL needs one more package: pip install 'hubbub[postgres]'") from None

log = logging.getLogger("hubbub")

T = TypeVar("T")

PAUSES = (0.02, 0.05, 0.1, 0.2, 0.5)
"""Seconds between attempts. The last one repeats."""
SETTLED_BEFORE = 0.8
"""The part of a change's time after which it is given up, so that its sender gets the reason before the time is
over."""
SETTLED_WHILE_AWAY = 0.4
"""The same while the database is known to be away: nobody waits for its return then."""

_AGAIN = (errors.SerializationFailure, errors.DeadlockDetected, errors.LockNotAvailable)


class _OtherServer(psycopg.OperationalError):
    """The pooler now uses another server than before, or the same one after a restore."""


_AWAY = (
    _OtherServer,
    errors.AdminShutdown,
    errors.CrashShutdown,
    errors.CannotConnectNow,
    errors.IdleInTransactionSessionTimeout,
    # In these words PgBouncer says that its server is gone, or that it has no connection to spare.
    errors.ProtocolViolation,
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
"""What the database may be unable to do, and the words that a client gets. The log has PostgreSQL's own words."""


class _Again(Exception):
    """Nothing was done, and the same may succeed now. Its cause says why it failed."""


class PostgresWriter:
    """The connection that writes. If it is lost, it connects again."""

    has_deferred = False

    def __init__(self, url: str, *, timeout: float = TIMEOUT) -> None:
        self._url = url
        self._timeout = timeout
        self._is_away = False
        self._is_in_trouble = False
        """Whether the log says already that the database cannot be written to."""
        self._timeline = ""
        self._connection: Connection | None = self._open(time.monotonic() + timeout)

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
            connection.begin()
            if connection.timeline not in {None, self._timeline}:
                raise _OtherServer("another server has taken over")
            result = work(connection)
        except BaseException as error:
            self._end(connection, error)
            raise
        try:
            connection.commit()
        except psycopg.Error as error:
            number = connection.number if connection.is_lost else None
            if number is None or not self._was_committed(number, attempts):
                self._end(connection, error)
                raise
        return result

    def _end(self, connection: Connection, error: BaseException) -> None:
        """Put the connection in order after an error that ended the transaction.

        Raises `_Again` if it may be repeated, `Unavailable` if the database cannot do it now, `Invalid` for a text that
        it can never store.
        """
        connection.memory.clear()
        if not connection.is_lost and not isinstance(error, _AWAY):
            with contextlib.suppress(psycopg.Error):
                connection.roll_back()
        if connection.is_lost or isinstance(error, _AWAY):
            self._drop()
            raise _Again from error
        if isinstance(error, _AGAIN):
            raise _Again from error
        _refuse_unstorable(error)
        reason = unavailable(error)
        if reason is not None:
            self._complain(error)
            if isinstance(error, errors.ReadOnlySqlTransaction):
                # If the address names several servers, another one may accept writes by now.
                self._drop()
            raise reason from error

    def _was_committed(self, number: str, attempts: _Attempts) -> bool:
        """Whether a transaction whose COMMIT got no answer was committed. Raises `Unavailable` if nobody can tell."""
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
            # Another timeline may give the same number to another transaction.
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

    def _connected(self, attempts: _Attempts) -> Connection:
        if self._connection is None:
            self._connection = self._open(attempts.deadline)
        self._connection.set_deadline(attempts.deadline)
        return self._connection

    def _open(self, deadline: float) -> Connection:
        connection = Connection(self._url, self._timeout, deadline, keeps_plans=True)
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
        """Nothing: PostgreSQL does its own upkeep."""

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


def _refuse_unstorable(error: BaseException) -> None:
    """Raises `Invalid` if psycopg could not send a text to the server: it holds U+0000."""
    if isinstance(error, psycopg.DataError) and error.sqlstate is None:
        raise Invalid("a text must not hold U+0000") from None


class PostgresReader:
    """A connection for reading. If it is lost, it connects again."""

    def __init__(self, url: str, *, timeout: float = TIMEOUT) -> None:
        self._url = url
        self._timeout = timeout
        self._is_away = False
        self._connection: Connection | None = None

    def snapshot(self, work: Callable[[Transaction], T]) -> T:
        deadline = time.monotonic() + self._timeout * SETTLED_BEFORE
        had_connection = self._connection is not None
        try:
            try:
                result = self._read(work, deadline)
            except psycopg.OperationalError:
                # The connection may have been lost long ago, which is noticed only now. Try once more on a new one.
                if not had_connection or self._connection is not None or time.monotonic() > deadline:
                    raise
                result = self._read(work, deadline)
        except psycopg.Error as error:
            _refuse_unstorable(error)
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
            self._connection = Connection(self._url, self._timeout, deadline)
        connection = self._connection
        connection.set_deadline(deadline)
        try:
            connection.begin_to_read()
            result = work(connection)
            connection.commit()
        except BaseException:
            try:
                connection.roll_back()
            except psycopg.Error:
                connection.close()
                self._connection = None
            raise
        return result

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


class Postgres:
    """A database at a `postgresql://` address. A change or a read is given up after `timeout` seconds."""

    is_shared = True
    problem = None

    def __init__(self, url: str, *, timeout: float = TIMEOUT) -> None:
        self.url = url.replace("postgres://", "postgresql://", 1)
        self._timeout = timeout
        try:
            self._address = conninfo_to_dict(self.url)
        except psycopg.ProgrammingError:
            # The error's text may quote the password.
            raise ConfigurationError("HUBBUB_DATABASE_URL is not an address that PostgreSQL understands") from None

    @property
    def place(self) -> str:
        address = self._address
        hosts = str(address.get("host") or address.get("hostaddr") or "localhost").split(",")
        ports = str(address.get("port") or "5432").split(",")
        places = [f"{host}:{ports[min(place, len(ports) - 1)]}" for place, host in enumerate(hosts)]
        return f"PostgreSQL at {', '.join(places)}/{address.get('dbname', '')}"

    def prepare(self) -> None:
        try:
            migrate_postgres(self.url, connection_options(self._timeout), lock_timeout=self._timeout)
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                f"{error.name} is not installed, which the database needs: pip install 'hubbub[server,postgres]'"
            ) from None
        except errors.InsufficientPrivilege as error:
            raise ConfigurationError(
                f"the schema has to be upgraded, which {self._role} may not do ({_first_line(error)}): run "
                "`hubbub db upgrade` with the address of a role that may, then start the server again"
            ) from None
        except psycopg.OperationalError as error:
            raise ConfigurationError(
                f"{self.place} cannot be reached ({_first_line(error)}): check HUBBUB_DATABASE_URL"
            ) from None

    def probe(self) -> None:
        """Nothing is checked: if the database is away, it comes back without anybody's help on this node."""

    @property
    def _role(self) -> str:
        return f"the role {self._address['user']!r}" if "user" in self._address else "this role"

    def open_writer(self) -> PostgresWriter:
        try:
            return PostgresWriter(self.url, timeout=self._timeout)
        except errors.InsufficientPrivilege as error:
            raise ConfigurationError(
                f"{self._role} may not use the database as a server does ({_first_line(error)}): docs/scaling.md has "
                "the GRANTs that it needs"
            ) from None

    def open_reader(self) -> PostgresReader:
        return PostgresReader(self.url, timeout=self._timeout)

    def release(self) -> None:
        """Nothing: `prepare` has locked nothing."""


class _Attempts:
    """Waits longer and longer between attempts, until its time is over. Without `may_repeat` there is only one
    attempt."""

    def __init__(self, seconds: float, *, may_repeat: bool) -> None:
        self.deadline = time.monotonic() + seconds
        self._may_repeat = may_repeat
        self._made = 0

    def another(self) -> bool:
        """Wait before the next attempt. Returns False, without waiting, if there is no time for one."""
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
    with database.transaction():
        row = database.execute(TIMELINE).fetchone()
        assert row is not None
        timeline = str(row[0])
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
