"""The statements of a transaction, sent together.

Each wait for PostgreSQL costs the writer's thread system calls and the interpreter's lock, which the event loop wants
too. So a statement that gives no rows is sent with the next one that does, or with the COMMIT. What it fails with is
raised there, and PostgreSQL skips whatever was sent after it, also the COMMIT.
"""

from __future__ import annotations

import re
import select
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import errors
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

_NAMED = re.compile(r"%(?:%|\((\w+)\)s)")
Take = Callable[[PGresult], object] | None
_FAILED = {ExecStatus.FATAL_ERROR, ExecStatus.PIPELINE_ABORTED, ExecStatus.BAD_RESPONSE}
_NUMBER = b"SELECT pg_current_xact_id()::text"


class TooLate(psycopg.OperationalError):
    """The database did not answer in time."""


@dataclass(frozen=True, slots=True)
class Numbered:
    """SQL with `$1`, and the names of its values in that order."""

    sql: bytes
    names: tuple[str, ...]


def numbered(sql: str) -> Numbered:
    """The same as psycopg does with `%(name)s`."""
    names: dict[str, int] = {}

    def number(found: re.Match[str]) -> str:
        name = found[1]
        return "%" if name is None else f"${names.setdefault(name, len(names) + 1)}"

    return Numbered(_NAMED.sub(number, sql).encode(), tuple(names))


@dataclass(slots=True)
class _Request:
    sql: bytes
    values: Sequence[Any] = ()
    is_prepared: bool = False
    """Whether the server shall keep the statement, for the next time."""
    take: Take = None
    """Is called with the result."""
    types: tuple[int, ...] = ()
    formats: Sequence[Any] | None = None
    """Of its values, once they are as PostgreSQL reads them."""


class Pipeline:
    """Transactions on a connection of psycopg, one after the other. Between `begin` and the end of a transaction,
    nothing else may use the connection.

    `deadline` gives the moment, by `time.monotonic()`, at which nobody waits any more. Then the connection is closed,
    because an answer that comes later would be taken for that of another request.
    """

    def __init__(self, database: psycopg.Connection[Any], deadline: Callable[[], float]) -> None:
        self._database = database
        self._link = database.pgconn
        self._deadline = deadline
        self._transformer = Transformer(database)
        self._prepared: dict[tuple[bytes, tuple[int, ...]], bytes] = {}
        self._names = 0
        self._requests: list[_Request] = []
        self._has_begun = False
        self._reading, self._writing = select.poll(), select.poll()
        self._reading.register(self._link.socket, select.POLLIN)
        self._writing.register(self._link.socket, select.POLLIN | select.POLLOUT)
        self.number: str | None = None
        """The transaction's number, from its first answer on. A COMMIT is never sent before it is known."""

    def begin(self, *, forgets_plans: bool) -> None:
        self._requests = [_Request(b"BEGIN"), _Request(_NUMBER, is_prepared=True, take=self._take_number)]
        if forgets_plans:
            self._requests.insert(1, _Request(b"DISCARD PLANS"))
        self._has_begun, self.number = False, None

    def send(self, statement: Numbered, values: Sequence[Any]) -> None:
        """Send a statement with the next ones. Its result is not needed."""
        self._requests.append(_Request(statement.sql, values, is_prepared=True))

    def rows(self, statement: Numbered, values: Sequence[Any]) -> list[Sequence[Any]]:
        """Send all that was not sent yet. Returns the rows of the last statement, and raises what any of them fails
        with."""
        results: list[PGresult] = []
        self._requests.append(_Request(statement.sql, values, is_prepared=True, take=results.append))
        self._exchange()
        self._transformer.set_pgresult(results[0])
        return list(self._transformer.load_rows(0, results[0].ntuples, tuple))

    def commit(self) -> None:
        if self.number is None:
            self._exchange()
        self._requests.append(_Request(b"COMMIT"))
        self._exchange()

    def roll_back(self) -> None:
        self._requests.clear()
        if self._has_begun:
            self._requests.append(_Request(b"ROLLBACK"))
            self._exchange()

    def _take_number(self, result: PGresult) -> None:
        number = result.get_value(0, 0)
        assert number is not None
        self.number = number.decode()

    # Sending and receiving.

    def _exchange(self) -> None:
        requests, self._requests = self._requests, []
        # PostgreSQL may not know a value, such as a text with U+0000. Then libpq must not have got a part of the rest.
        for request in requests:
            self._dump(request)
        self._has_begun = True
        self._link.enter_pipeline_mode()
        try:
            answers = [answer for request in requests for answer in self._queue(request)]
            self._link.pipeline_sync()
            self._send()
            self._receive(answers)
        finally:
            if not self._database.closed and not self._database.broken:
                self._link.exit_pipeline_mode()

    def _dump(self, request: _Request) -> None:
        transformer = self._transformer
        request.values = transformer.dump_sequence(request.values, [PyFormat.AUTO] * len(request.values))
        request.types, request.formats = transformer.types or (), transformer.formats

    def _queue(self, request: _Request) -> list[Take]:
        """Give it to libpq. Returns what to do with each of the answers that will come."""
        values, types, formats = request.values, request.types, request.formats
        if not request.is_prepared:
            self._link.send_query_params(request.sql, values, types, formats)
            return [request.take]
        key = request.sql, types
        name = self._prepared.get(key)
        if name is not None:
            self._link.send_query_prepared(name, values, formats)
            return [request.take]
        self._names += 1
        name = b"hubbub%d" % self._names
        self._link.send_prepare(name, request.sql, types)
        self._link.send_query_prepared(name, values, formats)
        return [lambda _: self._prepared.update({key: name}), request.take]

    def _send(self) -> None:
        while self._link.flush():
            self._wait(self._writing)
            self._link.consume_input()

    def _receive(self, answers: Sequence[Take]) -> None:
        error: psycopg.Error | None = None
        try:
            for take in answers:
                while (result := self._next_result()) is not None:
                    if result.status in _FAILED:
                        # The first one is the cause. The others were skipped.
                        error = error or errors.error_from_result(result)
                    elif take is not None and error is None:
                        take(result)
            self._next_result()
        except psycopg.OperationalError as lost:
            raise error or lost from None
        if error is not None:
            raise error

    def _next_result(self) -> PGresult | None:
        """None after the last result of a request."""
        while self._link.is_busy():
            self._wait(self._reading)
            self._link.consume_input()
        return self._link.get_result()

    def _wait(self, poll: select.poll) -> None:
        left = self._deadline() - time.monotonic()
        if left <= 0 or not poll.poll(min(left, 60.0) * 1000):
            self._database.close()
            raise TooLate("it does not answer")
