"""The rows that say who may be in a room, and how they are read. No row of these tables is ever deferred, and neither
are a room's key and `guarded`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import NamedTuple

from hubbub.store.base import Transaction
from hubbub.store.statement import Statement
from hubbub.wire.keys import fold

PLAIN, SETTINGS, RESTRICTED = 0, 1, 2
"""What `rooms.guarded` says: nothing is stored here about the room; something is; only its members may know of it."""

_Statement = partial(Statement, never_deferred=True)


class SettingsRow(NamedTuple):
    """A room's settings. `archived` is 0 or 1."""

    room_id: int
    key: str
    kind: str
    title: str | None
    description: str | None
    archived: int
    slow: int
    changed: int


class PersonRow(NamedTuple):
    """What somebody is in a room. Times are in milliseconds since 1970."""

    key: str
    identity: str
    name: str
    role: str
    muted: int
    banned: int


_SETTINGS = _Statement(
    """
    SELECT rooms.folded, rooms.id AS room_id, rooms.key, kind, title, description, archived, slow, changed
    FROM {wanted} AS wanted JOIN rooms ON rooms.folded = wanted.folded
    JOIN room_settings ON room_settings.room_id = rooms.id
    """,
    columns=("folded", *SettingsRow._fields),
    tables={"wanted": {"folded": str}},
)
_PEOPLE = _Statement(
    """
    SELECT users.key, users.identity, users.name, role, muted, banned
    FROM room_people JOIN users ON users.id = room_people.user_id WHERE room_id = :room_id ORDER BY users.folded
    """,
    columns=PersonRow._fields,
)
_ROOMS_OF_USER = _Statement(
    """
    SELECT rooms.folded FROM users JOIN room_people ON room_people.user_id = users.id
    JOIN rooms ON rooms.id = room_people.room_id
    WHERE users.folded = :folded AND users.identity = :identity AND rooms.guarded = 2
        AND role <> 'nobody' AND banned <= :now AND rooms.folded {by_bytes} > :after
    ORDER BY rooms.folded {by_bytes} LIMIT :most
    """,
    columns=("folded",),
)

Read = tuple[SettingsRow, list[PersonRow]]


def read_access(transaction: Transaction, room: str) -> Read | None:
    """A room's settings and people, for `Database.read`. None if nothing is stored about it."""
    settings = read_settings(transaction, [fold(room)])
    if not settings:
        return None
    ((_, found),) = settings.items()
    return found, [PersonRow(*row) for row in transaction.rows(_PEOPLE, room_id=found.room_id)]


def read_settings(transaction: Transaction, folded: Iterable[str]) -> dict[str, SettingsRow]:
    """The settings of those of these rooms that have some, by folded key."""
    rows = transaction.rows(_SETTINGS, wanted=[(one,) for one in folded])
    return {folded: SettingsRow(*row) for folded, *row in rows}


def read_rooms_of(
    transaction: Transaction, folded: str, identity: str, now: int, *, after: str, most: int
) -> list[str]:
    """The folded keys of the restricted rooms that a user is a member of: the next `most` after `after`, in order."""
    rows = transaction.rows(_ROOMS_OF_USER, folded=folded, identity=identity, now=now, after=after, most=most)
    return [room for (room,) in rows]
