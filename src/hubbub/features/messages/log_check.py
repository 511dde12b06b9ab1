"""Checks that the rooms' logs have no gaps, doubles or remains, for `hubbub db check` and for tests that kill
servers."""

from __future__ import annotations

from hubbub.store.base import Transaction
from hubbub.store.statement import Statement

_GAPS = Statement(
    """
    SELECT rooms.key, rooms.seq, rooms.floor, count(messages.seq) AS number, max(messages.seq) AS latest
    FROM rooms LEFT JOIN messages ON messages.room_id = rooms.id
    GROUP BY rooms.id, rooms.key, rooms.seq, rooms.floor
    HAVING count(messages.seq) <> rooms.seq - rooms.floor OR coalesce(max(messages.seq), rooms.floor) <> rooms.seq
    LIMIT 20
    """,
    columns=("key", "seq", "floor", "number", "latest"),
)
_REVS = Statement(
    """
    SELECT rooms.key, rooms.rev, max(messages.rev) AS latest
    FROM rooms JOIN messages ON messages.room_id = rooms.id
    LEFT JOIN room_settings ON room_settings.room_id = rooms.id
    GROUP BY rooms.id, rooms.key, rooms.rev, rooms.floor_rev, rooms.floor, room_settings.changed
    HAVING max(messages.rev) > rooms.rev OR (rooms.floor = 0 AND max(messages.rev) <> rooms.rev
        AND coalesce(room_settings.changed, 0) <> rooms.rev)
    LIMIT 20
    """,
    columns=("key", "rev", "latest"),
)
_DOUBLED = Statement(
    """
    SELECT rooms.key, messages.rev FROM messages JOIN rooms ON rooms.id = messages.room_id
    GROUP BY messages.room_id, rooms.key, messages.rev HAVING count(*) > 1 LIMIT 20
    """,
    columns=("key", "rev"),
)
_REMAINS = Statement(
    """
    SELECT rooms.key, messages.seq FROM messages JOIN rooms ON rooms.id = messages.room_id
    WHERE messages.deleted IS NOT NULL AND (messages.text <> '' OR messages.data IS NOT NULL
        OR EXISTS (SELECT 1 FROM edits WHERE edits.room_id = messages.room_id AND edits.seq = messages.seq)
        OR EXISTS (SELECT 1 FROM reactions WHERE reactions.room_id = messages.room_id
            AND reactions.seq = messages.seq))
    LIMIT 20
    """,
    columns=("key", "seq"),
)


def check_rooms(transaction: Transaction) -> list[str]:
    """A sentence for each thing that is wrong."""
    gaps = [
        f"room {key}: {number} messages up to {latest}, where the room counts {seq} and forgot those up to {floor}"
        for key, seq, floor, number, latest in transaction.rows(_GAPS)
    ]
    revs = [
        f"room {key}: its latest change is {latest}, where the room counts {rev}"
        for key, rev, latest in transaction.rows(_REVS)
    ]
    doubled = [f"room {key}: two messages have the rev {rev}" for key, rev in transaction.rows(_DOUBLED)]
    remains = [
        f"room {key}: message {seq} was deleted, and something of it is left" for key, seq in transaction.rows(_REMAINS)
    ]
    return gaps + revs + doubled + remains
