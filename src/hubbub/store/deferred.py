"""Deferred rows: how SQLite writes a page once for many commits.

A message changes its room's page and those of its indexes, so a commit of messages in thirty rooms writes more than
thirty pages of 4 KiB. Deferred, its rows stand one after the other in a table of their own, a page or two of them, and
are brought into their tables together with those of many other commits. Beside them stands the name of their
statement, so whoever opens the file next can do what a server that was killed left undone. SQL that stands in a file is
never run: older files hold it in the name's place, and it counts only if it is, to the letter, a statement of this
program.

This module knows the rows alone. When they have to be brought in is the writer's decision.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any

from pydantic_core import from_json, to_json

from hubbub.errors import ConfigurationError
from hubbub.store.statement import BOUND_ROWS, DEFERRABLE, Statement

Work = tuple[Statement, Sequence[Sequence[Any]]]
"""A deferrable statement, and the rows of its table."""

_EXISTS = "SELECT 1 FROM sqlite_schema WHERE name = 'deferred'"


class DeferredRows:
    """The deferred rows of a file, for the connection that writes to it. `load` them first.

    `put` and `bring` are for a transaction. When it is durable, tell so by `remember` or `forget`: one that is rolled
    back has changed nothing here.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self.number = 0
        self._found: dict[Statement, dict[Any, Sequence[Any]]] = {}
        """Keys of deferred rows: the rows, by what a statement finds them by."""

    def load(self) -> None:
        """See what is deferred in the file. Raises `ConfigurationError` for rows of a statement that is unknown."""
        self.remember(_read(self._database))

    def find(self, statement: Statement, wanted: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
        """What `statement` gives of the deferred rows, where it finds those of another one."""
        found = self._found.get(statement)
        if not found:
            return []
        _, gives = _columns_of(statement)
        return [gives(found[one]) for one in wanted if one in found]

    def put(self, work: Sequence[Work]) -> None:
        """Defer rows."""
        put(self._database, work)

    def remember(self, work: Sequence[Work]) -> None:
        """These rows are deferred."""
        for statement, rows in work:
            self.number += len(rows)
            for finder in statement.finders:
                by, _ = _columns_of(finder)
                self._found.setdefault(finder, {}).update(zip(map(by, rows), rows, strict=True))

    def bring(self) -> None:
        """Bring all deferred rows into their tables."""
        bring(self._database)

    def forget(self) -> None:
        """No rows are deferred any more."""
        self.number = 0
        self._found.clear()


def put(database: sqlite3.Connection, work: Sequence[Work]) -> None:
    """Defer rows. Call it in a transaction."""
    rows = [(statement.deferrable, to_json(rows).decode()) for statement, rows in work]
    database.executemany("INSERT INTO deferred (statement, rows) VALUES (?, ?)", rows)


def bring_left(database: sqlite3.Connection) -> None:
    """Bring in what the writer of a file, of any version, has left deferred, in a transaction of its own.

    Raises `ConfigurationError` for rows of a statement that is unknown.
    """
    if database.execute(_EXISTS).fetchone():
        # What people delete later must not be left over here.
        database.execute("PRAGMA secure_delete=ON")
        database.execute("BEGIN IMMEDIATE")
        bring(database)
        database.execute("COMMIT")


def bring(database: sqlite3.Connection) -> None:
    """Bring all deferred rows into their tables. Call it in a transaction.

    Each statement's rows come in the order of their first column, so that those of one page follow each other.
    """
    work: dict[Statement, list[Sequence[Any]]] = {}
    for statement, rows in _read(database):
        work.setdefault(statement, []).extend(rows)
    if not work:
        # Even a DELETE of nothing writes a page, for which a full disk may have no room.
        return
    for statement, rows in work.items():
        rows.sort(key=itemgetter(0))
        for start in range(0, len(rows), BOUND_ROWS):
            some = rows[start : start + BOUND_ROWS]
            database.execute(_compiled(statement, len(some)), list(chain.from_iterable(some)))
    database.execute("DELETE FROM deferred")


def _read(database: sqlite3.Connection) -> list[Work]:
    stored = database.execute("SELECT statement, rows FROM deferred ORDER BY id")
    return [(_statement(name), from_json(rows)) for name, rows in stored]


@lru_cache
def _statement(name: str) -> Statement:
    found = DEFERRABLE.get(name)
    if found is None:
        # Before there were names, the statement's text stood in its place.
        found = next((one for one in DEFERRABLE.values() if _text_of(one) == name), None)
    if found is None:
        raise ConfigurationError(
            f"the database holds rows for {name[:60]!r}, which this server does not know: start it once with the "
            "version and the features that wrote them"
        )
    return found


def _text_of(statement: Statement) -> str:
    ((table, columns),) = statement.tables.items()
    return to_json([statement.sql, table, list(columns)]).decode()


@lru_cache(maxsize=4 * BOUND_ROWS)
def _compiled(statement: Statement, number: int) -> str:
    return statement.for_rows_in_sqlite(number)


Getter = Callable[[Sequence[Any]], Any]


@lru_cache
def _columns_of(finder: Statement) -> tuple[Getter, Getter]:
    """By what a statement finds the deferred rows of another one, and what it gives of them. Both are several columns,
    for which `itemgetter` makes tuples."""
    assert finder.finds_deferred is not None
    ((_, columns),) = finder.finds_deferred.tables.items()
    places = {column: place for place, column in enumerate(columns)}
    ((_, wanted),) = finder.tables.items()
    return itemgetter(*(places[one] for one in wanted)), itemgetter(*(places[one] for one in finder.columns))
