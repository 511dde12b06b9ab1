"""Deferred rows: how SQLite writes a page once for many commits.

A message changes its room's page and those of its indexes, so a commit of messages in thirty rooms writes more than
thirty pages of 4 KiB. If its rows are deferred, they are written one after the other into a table of their own, which
takes a page or two. Later they are moved into their tables, together with the rows of many other commits. The name of
their statement is stored with them, so after a kill the next process that opens the file can move them. SQL from a file
is never run. Older files have SQL text instead of the name; it is accepted only if it equals a statement of this
program.

This module only stores and moves the rows. The writer decides when they are moved.
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

    Call `put` and `bring` in a transaction. When it is durable, call `remember` or `forget`; after a rollback, call
    neither.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self.number = 0
        self._found: dict[Statement, dict[Any, Sequence[Any]]] = {}
        """Deferred rows by their keys, for each statement that finds them."""

    def load(self) -> None:
        """Read what is deferred in the file. Raises `ConfigurationError` for rows of an unknown statement."""
        self.remember(_read(self._database))

    def find(self, statement: Statement, wanted: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
        """The rows that `statement`, which finds deferred rows of another one, would find among them."""
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
        """Move all deferred rows into their tables."""
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
    """Move the rows that a file's writer, of any version, has left deferred, in a transaction of its own.

    Raises `ConfigurationError` for rows of an unknown statement.
    """
    if database.execute(_EXISTS).fetchone():
        # What users delete later must not be left here.
        database.execute("PRAGMA secure_delete=ON")
        database.execute("BEGIN IMMEDIATE")
        bring(database)
        database.execute("COMMIT")


def bring(database: sqlite3.Connection) -> None:
    """Move all deferred rows into their tables. Call it in a transaction.

    Each statement's rows are sorted by their first column, so that rows of one page follow each other.
    """
    work: dict[Statement, list[Sequence[Any]]] = {}
    for statement, rows in _read(database):
        work.setdefault(statement, []).extend(rows)
    if not work:
        # Even a DELETE without rows writes a page, and a full disk may have no room for it.
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
        # Earlier versions stored the statement's text instead of its name.
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
    """Two functions of a deferred row: the key by which `finder` finds it, and what `finder` gives of it. Both have
    several columns, so `itemgetter` makes tuples."""
    assert finder.finds_deferred is not None
    ((_, columns),) = finder.finds_deferred.tables.items()
    places = {column: place for place, column in enumerate(columns)}
    ((_, wanted),) = finder.tables.items()
    return itemgetter(*(places[one] for one in wanted)), itemgetter(*(places[one] for one in finder.columns))
