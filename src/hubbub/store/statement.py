"""One SQL text for both engines.

A batch reaches the database as one parameter: a JSON array of arrays, which the statement sees as a table. So a batch
of a thousand is as many statements as a batch of one: row by row, each of them gives the interpreter's lock away and
has to win it back from a busy event loop.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_TYPES_IN_POSTGRES = {int: "bigint", str: "text"}
BOUND_ROWS = 64
"""Rows that one statement of SQLite has bound value by value. Each number of them has a text of its own."""

DEFERRABLE: dict[str, Statement] = {}
"""The statements whose rows SQLite may defer, by the names under which they stand in files. A feature's are known once
its module is imported, so import the features before a database is opened."""

_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]+)\b")


class Statement:
    """SQL with `:name` for a value and `{name}` for a table that is passed as rows; `tables` gives their columns.

    `columns` names what a SELECT gives. `{for_update}` locks rows where readers and writers need it.

    SQLite may defer the rows of a statement that has a name as `deferrable`. Such a statement has one table, gives no
    rows, and may run once for the rows of many transactions, in the order of their first column. The name stands in
    files, and means this SQL and these columns for ever: a statement that differs gets another name, and the old one
    stays. In a transaction, run these before what else must be seen together with them: then no reader finds one half
    in the tables and the other deferred.

    Before any other statement runs, deferred rows are brought into their tables. `besides_deferred` spares that where
    none of the statement's tables has deferred rows. `finds_deferred` spares it as well: from the deferred rows of the
    statement that it names, SQLite adds those whose columns equal a row of this one's only table.
    """

    __slots__ = ("besides_deferred", "columns", "deferrable", "finders", "finds_deferred", "sql", "tables")

    def __init__(
        self,
        sql: str,
        *,
        columns: Sequence[str] = (),
        tables: Mapping[str, Mapping[str, type]] | None = None,
        besides_deferred: bool = False,
        deferrable: str = "",
        finds_deferred: Statement | None = None,
    ) -> None:
        self.sql = sql
        self.columns = tuple(columns)
        self.tables = tables or {}
        self.besides_deferred = besides_deferred
        self.deferrable = deferrable
        self.finds_deferred = finds_deferred
        self.finders: list[Statement] = []
        """Those that find the deferred rows of this one."""
        if deferrable and DEFERRABLE.setdefault(deferrable, self) is not self:
            raise ValueError(f"two statements have the name {deferrable!r}")
        if finds_deferred is not None:
            finds_deferred.finders.append(self)

    def for_sqlite(self) -> str:
        """Its rows as one JSON value: fetching them singly would give the interpreter's lock away for each."""
        return self._for_sqlite(
            {
                name: "(SELECT {} FROM json_each(:{}))".format(  # noqa: S608 - names of columns, from this program
                    ", ".join(f"value ->> {place} AS {column}" for place, column in enumerate(columns)), name
                )
                for name, columns in self.tables.items()
            }
        )

    def for_rows_in_sqlite(self, number: int) -> str:
        """For a statement with one table and no other parameter: the values of its rows are bound one by one, in order.

        It takes half the time of JSON, and a text of its own for each number of rows.
        """
        ((name, columns),) = self.tables.items()
        names = ", ".join(f"column{place} AS {column}" for place, column in enumerate(columns, start=1))
        row = f"({', '.join('?' * len(columns))})"
        values = ", ".join([row] * number)
        return self._for_sqlite({name: f"(SELECT {names} FROM (VALUES {values}))"})  # noqa: S608 - as above

    def _for_sqlite(self, tables: dict[str, str]) -> str:
        sql = self.sql.format(for_update="", **tables)
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
        return _PARAMETER.sub(r"%(\1)s", self.sql.format(for_update="FOR UPDATE", **tables).replace("%", "%%"))
