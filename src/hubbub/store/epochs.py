"""Epochs of a SQLite file: each start of a server begins one, so that it is noticed when a copy is put back.

A position (rev, epoch) counts only if this file has had that epoch, and the room came as far as that rev in it. If a
copy was put back, its last epoch ends where the copy was made. It does not know what the lost file did later, in the
same epoch or in later ones. PostgreSQL has epochs too, but begins one only when a cluster took over or was restored.
"""

from __future__ import annotations

import secrets
import sqlite3
import time

KEPT = 1000
"""How many epochs keep their names. A client that was away for more starts than this must start over."""


def begin(database: sqlite3.Connection, origin: str) -> None:
    """Begin an epoch under a name that no other file has. Call it in a transaction, when no rows are deferred: those
    belong to the epoch before."""
    database.execute(
        "INSERT INTO epochs (number, name, origin, began) SELECT coalesce(max(number), 0) + 1, ?, ?, ? FROM epochs",
        (secrets.token_hex(6), origin, time.time_ns() // 1_000_000),
    )
    database.execute("DELETE FROM epochs WHERE number <= (SELECT max(number) FROM epochs) - ?", (KEPT,))
