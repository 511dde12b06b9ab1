"""The keys of stored rooms, in order. For `Database.read`."""

from __future__ import annotations

import re

from hubbub.store.base import Transaction
from hubbub.store.statement import Statement

# Sends defer a room's numbers, but never its key.
_KEYS = Statement(
    """
    WITH walked AS (
        SELECT key, folded FROM rooms WHERE folded {by_bytes} > :after AND folded {by_bytes} < :below
        ORDER BY folded {by_bytes} LIMIT :walked
    )
    SELECT key, folded FROM walked
    WHERE folded LIKE :pattern ESCAPE '!' OR folded = (SELECT max(folded {by_bytes}) FROM walked)
    ORDER BY folded {by_bytes} LIMIT :most
    """,
    columns=("key", "folded"),
    never_deferred=True,
)


_LAST = "~"
"""Above all keys."""


def read_keys(
    transaction: Transaction, after: str, *, below: str | None, part: str, walked: int, most: int
) -> dict[str, str]:
    """The keys of rooms after `after` and before `below` by their folded keys, in order: those that hold `part` among
    the next `walked` rooms, at most `most`.

    The last one says how far this goes, and need not hold `part`. There is none if there are no such rooms.
    """
    literal = re.sub("[!%_]", r"!\g<0>", part)
    rows = transaction.rows(_KEYS, after=after, below=below or _LAST, walked=walked, pattern=f"%{literal}%", most=most)
    return {folded: key for key, folded in rows}
