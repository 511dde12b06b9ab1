"""Runs the `hubbub` command and counts its SQLite queries, in a file of its working directory.

SQLite can report every statement of a connection to a function that is set when the connection is opened. So this is
the server that everybody starts, without changes.
"""

from __future__ import annotations

import mmap
import sqlite3
import sys
import threading
from pathlib import Path
from typing import Any, cast

FILE_NAME = "queries"
_SIZE = 8


def number_of_queries(folder: Path) -> int:
    """The number of queries so far, of the server that was started in this folder."""
    return int.from_bytes((folder / FILE_NAME).read_bytes(), sys.byteorder)


def count_queries() -> None:
    """Count from now on, for all connections that this process will open."""
    file = Path(FILE_NAME)
    file.write_bytes(bytes(_SIZE))
    with file.open("r+b") as opened:
        shown = mmap.mmap(opened.fileno(), _SIZE)
    lock = threading.Lock()
    queries = 0

    def count(statement: str) -> None:
        nonlocal queries
        if statement.lstrip().startswith(("SELECT", "WITH")):
            with lock:
                queries += 1
                shown[:] = queries.to_bytes(_SIZE, sys.byteorder)

    def connect(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = open_connection(*arguments, **options)
        connection.set_trace_callback(count)
        return connection

    open_connection: Any = sqlite3.connect
    sqlite3.connect = cast(Any, connect)


if __name__ == "__main__":
    from hubbub.cli import app

    count_queries()
    app()
