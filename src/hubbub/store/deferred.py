"""Work that is durable and not done yet: how SQLite writes a page once for many commits.

A message changes its room's page and those of its indexes, so a commit of messages in thirty rooms writes more than
thirty pages of 4 KiB. Deferred, its rows stand one after the other in a table of their own, a page or two of them, and
are brought where they belong together with those of many other commits. The statement stands beside its rows, so
whoever opens the file next can do what a server that was killed left undone; a file is trusted as a program is.

These functions know the table alone. When it has to be emptied is its writer's business.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any

from pydantic_core import from_json, to_json

from hubbub.store.base import Work
from hubbub.store.statement import Statement

ROWS = 64
"""Rows that one statement brings where they belong; each number of them has a text of its own."""

_EXISTS = "SELECT 1 FROM sqlite_schema WHERE name = 'deferred'"


def put(database: sqlite3.Connection, work: Sequence[Work]) -> None:
    """Keep work for later. Call it in a transaction."""
    rows = [(_text_of(statement), to_json(rows).decode()) for statement, rows in work]
    database.executemany("INSERT INTO deferred (statement, rows) VALUES (?, ?)", rows)


def do_left(database: sqlite3.Connection) -> None:
    """Do what the writer of a file, of any version, has left undone, in a transaction of its own."""
    if database.execute(_EXISTS).fetchone():
        # What people delete later must not be left over here.
        database.execute("PRAGMA secure_delete=ON")
        database.execute("BEGIN IMMEDIATE")
        do_all(database)
        database.execute("COMMIT")


def do_all(database: sqlite3.Connection) -> None:
    """Do what was put off. Call it in a transaction.

    Each statement's rows come in the order of their first column, so that those of one page follow each other.
    """
    work: dict[str, list[Any]] = {}
    for text, rows in database.execute("SELECT statement, rows FROM deferred ORDER BY id"):
        work.setdefault(text, []).extend(from_json(rows))
    if not work:
        # Even a DELETE of nothing writes a page, for which a full disk may have no room.
        return
    for text, rows in work.items():
        rows.sort(key=itemgetter(0))
        for start in range(0, len(rows), ROWS):
            some = rows[start : start + ROWS]
            database.execute(_compiled(text, len(some)), list(chain.from_iterable(some)))
    database.execute("DELETE FROM deferred")


@lru_cache
def _text_of(statement: Statement) -> str:
    ((table, columns),) = statement.tables.items()
    return to_json([statement.sql, table, list(columns)]).decode()


@lru_cache(maxsize=4 * ROWS)
def _compiled(text: str, number: int) -> str:
    sql, table, columns = from_json(text)
    return Statement(sql, tables={table: dict.fromkeys(columns, str)}).for_rows_in_sqlite(number)
