"""The cluster's id: tells one database from another.

Nodes of two clusters may meet by mistake, for example in one Redis. The id is made when a database is opened for the
first time. It stays the same after restarts, restored backups and fail-overs.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence

from hubbub.store.base import Transaction
from hubbub.store.database import Database
from hubbub.store.statement import Statement

_ID = Statement("SELECT id FROM cluster", columns=("id",), never_deferred=True)
_MAKE = Statement(
    "INSERT INTO cluster (one, id) VALUES (1, :id) ON CONFLICT (one) DO NOTHING",
    never_deferred=True,
)
# A dump that is loaded elsewhere, for example into a test system, has the same rows. A standby that takes over has the
# same two numbers.
_PLACE_IN_POSTGRES = Statement(
    """
    SELECT system_identifier::text, (SELECT oid::text FROM pg_database WHERE datname = current_database())
    FROM pg_control_system()
    """
)


async def cluster_id(database: Database) -> str:
    """The id of this database's cluster: 16 characters, not secret.

    A dump of PostgreSQL that is loaded elsewhere has another id; a copy of a SQLite file has the same. Raises
    `Unavailable`.
    """
    found = await database.read(_read, never_deferred=True)
    return found if found is not None else await database.write(_make, None)


def _read(transaction: Transaction) -> str | None:
    rows = transaction.rows(_ID)
    if not rows or transaction.is_alone:
        return rows[0][0] if rows else None
    place = transaction.rows(_PLACE_IN_POSTGRES)[0]
    return hashlib.sha256(":".join((rows[0][0], *place)).encode()).hexdigest()[:16]


def _make(transaction: Transaction, requests: Sequence[None]) -> list[str]:
    transaction.run(_MAKE, id=secrets.token_hex(8))
    made = _read(transaction)
    assert made is not None
    return [made] * len(requests)
