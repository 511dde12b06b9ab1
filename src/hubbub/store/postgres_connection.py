"""One connection to PostgreSQL, directly or through a pooler such as PgBouncer.

A pooler may use another of its own connections for each transaction. So nothing is set for the session, and nothing is
prepared in it: each transaction sets what it needs.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Generator, Sequence
from typing import Any, TypeVar

import psycopg
from psycopg import errors
from pydantic_core import to_json

from hubbub.store.postgres_pipeline import Numbered, Pipeline, TooLate, numbered
from hubbub.store.statement import Statement

T = TypeVar("T")

LOCKED = 0.25
"""The part of a change's time that it waits for one lock."""
CONNECT_TIMEOUT = 3

PLANS_KEPT = 5.0
"""Seconds for which a connection that writes uses its plans."""

_SETTINGS = {
    # A plan that was made while a table was small would read the whole table for as long as the plan is kept (measured:
    # 16 ms instead of 1 for a message). All our statements need only a few steps along an index.
    "plan_cache_mode": "force_custom_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}

# A new timeline begins when a standby takes over, or when an older state of the cluster is restored. A dump that is
# loaded makes new tables.
TIMELINE = """
    SELECT system_identifier || ':' || left(pg_walfile_name(pg_current_wal_lsn()), 8) || ':' || 'epochs'::regclass::oid
    FROM pg_control_system()
"""


class _Link(psycopg.Connection[Any]):
    """A connection that nobody waits for after its deadline. A frozen server answers nothing, but its machine still
    acknowledges packets, so TCP notices nothing."""

    deadline = math.inf
    """By `time.monotonic()`."""

    def wait(self, gen: Generator[Any, Any, T], *arguments: Any, **options: Any) -> T:
        try:
            return super().wait(self._until_deadline(gen), *arguments, **options)
        except TooLate:
            # The answer to this request may still come, and would be taken for the answer to the next one.
            self.close()
            raise

    def _until_deadline(self, gen: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
        # While psycopg waits for the server, it yields ten times a second without a result.
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
                raise TooLate("it does not answer")


class Connection:
    """Implements `Transaction` on a connection of psycopg. `deadline` is for its opening; then set one for each use.

    Planning takes half of PostgreSQL's time for a small batch of messages. With `keeps_plans` a plan is used for
    `PLANS_KEPT` seconds, and then made again, because the tables may have grown. The checks of foreign keys have plans
    too. With a pooler nothing is kept. Where plans are kept, statements are also sent together (`Pipeline`), so what
    `run` fails with is raised by the next `rows`, or by `commit`.
    """

    is_alone = False

    def __init__(self, url: str, timeout: float, deadline: float, *, keeps_plans: bool = False) -> None:
        self.memory: dict[str, Any] = {}
        self.timeline: str | None = None
        """The server that the latest `begin` has found, since a pooler may have changed it."""
        self.database = _Link.connect(url, autocommit=True, **connection_options(timeout))
        self.database.deadline = deadline
        # A new cursor for each statement would cost a third of what psycopg needs for it.
        self._cursor = self.database.cursor()
        self._compiled: dict[Statement, str] = {}
        self._numbered: dict[Statement, Numbered] = {}
        self._pipeline: Pipeline | None = None
        self._number: str | None = None
        self._plans_end = math.inf
        try:
            self._set_up(timeout, keeps_plans=keeps_plans)
        except BaseException:
            self.close()
            raise

    def _set_up(self, timeout: float, *, keeps_plans: bool) -> None:
        settings, timeline = "", "NULL"
        if self._asks_a_pooler():
            self.database.prepare_threshold = None
            settings, timeline = f"; {_settings(timeout, 'LOCAL')}", f"({TIMELINE})"
        else:
            self.database.execute(_settings(timeout, "SESSION").encode())
            if keeps_plans:
                self.database.execute("SET plan_cache_mode = 'force_generic_plan'")
                self._plans_end = time.monotonic() + PLANS_KEPT
                self._pipeline = Pipeline(self.database, lambda: self.database.deadline)
        number = f"SELECT pg_current_xact_id()::text, {timeline}"
        self._begin = f"BEGIN{settings}; {number}".encode()
        self._begin_to_read = f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY{settings}".encode()

    def _asks_a_pooler(self) -> bool:
        """With a pooler, the process number for cancelling requests is not the server's own."""
        row = self.database.execute("SELECT pg_backend_pid()").fetchone()
        return row != (self.database.info.backend_pid,)

    def set_deadline(self, deadline: float) -> None:
        """Until when the next statements must have their answers, by `time.monotonic()`."""
        self.database.deadline = deadline

    @property
    def is_lost(self) -> bool:
        return self.database.closed or self.database.broken

    def rows(self, statement: Statement, **parameters: Any) -> list[Sequence[Any]]:
        if self._pipeline is not None:
            return self._pipeline.rows(*self._with_values(statement, parameters))
        return list(self._execute(statement, parameters).fetchall())

    def run(self, statement: Statement, **parameters: Any) -> None:
        if self._pipeline is not None:
            self._pipeline.send(*self._with_values(statement, parameters))
        else:
            self._execute(statement, parameters)

    def _with_values(self, statement: Statement, parameters: dict[str, Any]) -> tuple[Numbered, list[Any]]:
        sql = self._numbered.get(statement)
        if sql is None:
            sql = self._numbered[statement] = numbered(statement.for_postgres())
        for name in statement.tables:
            parameters[name] = to_json(parameters[name]).decode()
        return sql, [parameters[name] for name in sql.names]

    def _execute(self, statement: Statement, parameters: dict[str, Any]) -> psycopg.Cursor[Any]:
        sql = self._compiled.get(statement)
        if sql is None:
            sql = self._compiled[statement] = statement.for_postgres()
        for name in statement.tables:
            parameters[name] = to_json(parameters[name]).decode()
        return self._cursor.execute(sql.encode(), parameters)

    @property
    def number(self) -> str | None:
        """The number of the latest transaction, for asking whether it was committed. None if its COMMIT was certainly
        not sent."""
        return self._number if self._pipeline is None else self._pipeline.number

    def begin(self) -> None:
        """Begin a transaction."""
        if self._pipeline is not None:
            now = time.monotonic()
            forgets_plans = now > self._plans_end
            if forgets_plans:
                self._plans_end = now + PLANS_KEPT
            self._pipeline.begin(forgets_plans=forgets_plans)
            return
        self._number = None
        cursor = self._cursor.execute(self._begin, prepare=False)
        while cursor.nextset():
            pass
        row = cursor.fetchone()
        assert row is not None
        number, self.timeline = row
        self._number = str(number)

    def begin_to_read(self) -> None:
        """Begin a transaction that sees one snapshot."""
        self._cursor.execute(self._begin_to_read)

    def commit(self) -> None:
        if self._pipeline is not None:
            self._pipeline.commit()
        else:
            self._cursor.execute(b"COMMIT")

    def roll_back(self) -> None:
        if self._pipeline is not None:
            self._pipeline.roll_back()
        else:
            self._cursor.execute(b"ROLLBACK")

    def transaction_status(self, number: str) -> str | None:
        """`committed` or `aborted`; None while it is not decided."""
        try:
            row = self.database.execute("SELECT pg_xact_status(%s::text::xid8)", (number,)).fetchone()
        except errors.InvalidParameterValue:
            # This server has not reached the number: it has lost the transaction.
            return "aborted"
        return row[0] if row is not None and row[0] != "in progress" else None

    def close(self) -> None:
        with contextlib.suppress(psycopg.Error):
            self.database.close()


def _settings(timeout: float, scope: str) -> str:
    """The settings for the session, or for one transaction (`LOCAL`), as SQL."""
    # The server's own limits, so that a node which is gone or has given up leaves no lock behind.
    limits = {
        "idle_in_transaction_session_timeout": timeout,
        "statement_timeout": timeout,
        "lock_timeout": timeout * LOCKED,
    }
    settings = _SETTINGS | {name: f"{round(seconds * 1000)}ms" for name, seconds in limits.items()}
    # An ack means durable, whatever the server's default is.
    durable = (
        f"SELECT set_config('synchronous_commit', 'on', {'true' if scope == 'LOCAL' else 'false'}) "
        "WHERE current_setting('synchronous_commit') = 'off'"
    )
    return "; ".join([*(f"SET {scope} {name} = '{value}'" for name, value in settings.items()), durable])


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
