"""Epochs of a SQLite file: each start of a server begins one, so that a copy that is put back shows.

A position (rev, epoch) counts only if this file has had that epoch, and the room came as far as that rev in it. A file
that was copied and put back ends its last epoch where it was copied; what the lost file did after that, in the same
epoch or in later ones, it does not know. PostgreSQL has epochs too, but begins one only where a cluster took over.
"""

from __future__ import annotations

import secrets
import sqlite3
import time

KEPT = 1000
"""Epochs whose names are kept: who was away for more starts than these is told to begin again."""


def begin(database: sqlite3.Connection, origin: str) -> None:
    """Begin an epoch under a name that no other file has. Call it in a transaction, when no rows are deferred: they
    belong to the epoch before."""
    database.execute(
        "INSERT INTO epochs (number, name, origin, began) SELECT coalesce(max(number), 0) + 1, ?, ?, ? FROM epochs",
        (secrets.token_hex(6), origin, time.time_ns() // 1_000_000),
    )
    database.execute("DELETE FROM epochs WHERE number <= (SELECT max(number) FROM epochs) - ?", (KEPT,))
