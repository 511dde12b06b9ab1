"""One SQL text for both engines.

A batch reaches the database as one parameter: a JSON array of arrays, which the statement sees as a table. So a batch
of a thousand rows takes as many statements as a batch of one. With one statement for each row, each would release the
interpreter's lock, and wait for a busy event loop to get it back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_TYPES_IN_POSTGRES = {int: "bigint", str: "text"}
BOUND_ROWS = 64
"""The most rows whose values SQLite gets one by one. Each number of rows needs its own SQL text."""

DEFERRABLE: dict[str, Statement] = {}
"""The statements whose rows SQLite may defer, by the names that files have for them. A feature's statements are known
when its module is imported, so import the features before a database is opened."""

_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]+)\b")


class Statement:
    """SQL with `:name` for a value and `{name}` for a table that is passed as rows; `tables` gives their columns.

    `columns` names what a SELECT gives. `{for_update}` locks rows in engines that need it. `{by_bytes}` after a text
    compares and sorts it by its bytes, as Python does, in every database.

    SQLite may defer the rows of a statement that has a name as `deferrable`. Such a statement has one table, gives no
    rows, and may run once for the rows of many transactions, in the order of their first column. The name is stored in
    files, and means this SQL and these columns for ever: a statement that differs gets another name, and the old one
    stays. In a transaction, run deferrable statements before others that belong together with them. Then no reader
    finds one half in the tables and the other half deferred.

    Before any other statement runs, deferred rows are moved into their tables. `never_deferred` avoids that: none of
    the statement's tables has a deferrable statement. `finds_deferred` avoids it too: it names a deferrable statement,
    and SQLite adds those of its deferred rows whose columns equal a row of this statement's only table.
    """

    __slots__ = ("columns", "deferrable", "finders", "finds_deferred", "never_deferred", "sql", "tables")

    def __init__(
        self,
        sql: str,
        *,
        columns: Sequence[str] = (),
        tables: Mapping[str, Mapping[str, type]] | None = None,
        never_deferred: bool = False,
        deferrable: str = "",
        finds_deferred: Statement | None = None,
    ) -> None:
        self.sql = sql
        self.columns = tuple(columns)
        self.tables = tables or {}
        self.never_deferred = never_deferred
        self.deferrable = deferrable
        self.finds_deferred = finds_deferred
        self.finders: list[Statement] = []
        """Those that find the deferred rows of this one."""
        if deferrable and DEFERRABLE.setdefault(deferrable, self) is not self:
            raise ValueError(f"two statements have the name {deferrable!r}")
        if finds_deferred is not None:
            finds_deferred.finders.append(self)

    def for_sqlite(self) -> str:
        """The statement's rows as one JSON value. Fetching them one by one would release the interpreter's lock for
        each."""
        return self._for_sqlite(
            {
                name: "(SELECT {} FROM json_each(:{}))".format(  # noqa: S608 - names of columns, from this program
                    ", ".join(f"value ->> {place} AS {column}" for place, column in enumerate(columns)), name
                )
                for name, columns in self.tables.items()
            }
        )

    def for_rows_in_sqlite(self, number: int) -> str:
        """For a statement with one table and no other parameter: the values of its rows are parameters, in order.

        It takes half the time of JSON, and its own SQL text for each number of rows.
        """
        ((name, columns),) = self.tables.items()
        names = ", ".join(f"column{place} AS {column}" for place, column in enumerate(columns, start=1))
        row = f"({', '.join('?' * len(columns))})"
        values = ", ".join([row] * number)
        return self._for_sqlite({name: f"(SELECT {names} FROM (VALUES {values}))"})  # noqa: S608 - as above

    def _for_sqlite(self, tables: dict[str, str]) -> str:
        sql = self.sql.format(for_update="", by_bytes="", **tables)
        if self.columns:
            return f"SELECT json_group_array(json_array({', '.join(self.columns)})) FROM ({sql})"  # noqa: S608
        return sql

    def for_postgres(self) -> str:
        tables = {
            name: "(SELECT {} FROM jsonb_array_elements(:{}::jsonb) AS given(value))".format(  # noqa: S608
                ", ".join(
                    f"(value ->> {place})::{_TYPES_IN_POSTGRES[kind]} AS {column}"
                    for place, (column, kind) in enumerate(columns.items())
                ),
                name,
            )
            for name, columns in self.tables.items()
        }
        sql = self.sql.format(for_update="FOR UPDATE", by_bytes='COLLATE "C"', **tables)
        return _PARAMETER.sub(r"%(\1)s", sql.replace("%", "%%"))
