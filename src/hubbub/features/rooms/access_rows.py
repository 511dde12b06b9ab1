"""The rows that say who may be in a room, and how they are read. No row of these tables is ever deferred, and neither
are a room's key and `guarded`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import NamedTuple

from hubbub.accounts.roles import DIRECT
from hubbub.store.base import Transaction
from hubbub.store.statement import Statement
from hubbub.wire.identity import OnlineUser, User
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
    color: str | None
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
    SELECT users.key, users.identity, users.name, users.color, role, muted, banned
    FROM room_people JOIN users ON users.id = room_people.user_id WHERE room_id = :room_id ORDER BY users.folded
    """,
    columns=PersonRow._fields,
)
_PEOPLE_OF = _Statement(
    """
    SELECT rooms.folded, users.key, users.identity, users.name, users.color
    FROM {wanted} AS wanted JOIN rooms ON rooms.folded = wanted.folded
    JOIN room_people ON room_people.room_id = rooms.id JOIN users ON users.id = room_people.user_id
    WHERE role <> 'nobody' ORDER BY users.folded
    """,
    columns=("folded", "key", "identity", "name", "color"),
    tables={"wanted": {"folded": str}},
)
_ROLE = _Statement(
    """
    SELECT role FROM users JOIN room_people ON room_people.user_id = users.id
    JOIN rooms ON rooms.id = room_people.room_id
    WHERE users.folded = :folded AND users.identity = :identity AND rooms.folded = :room AND role <> 'nobody'
    """,
    columns=("role",),
)
_ROOMS_OF_USER = _Statement(
    """
    SELECT rooms.folded, role FROM users JOIN room_people ON room_people.user_id = users.id
    JOIN rooms ON rooms.id = room_people.room_id
    WHERE users.folded = :folded AND users.identity = :identity AND rooms.guarded = 2
        AND role <> 'nobody' AND banned <= :now AND rooms.folded {by_bytes} > :after
    ORDER BY rooms.folded {by_bytes} LIMIT :most
    """,
    columns=("folded", "role"),
)

Read = tuple[SettingsRow, list[PersonRow]]


def read_access(transaction: Transaction, room: str) -> Read | None:
    """A room's settings and people, for `Database.read`. None if nothing is stored about it."""
    settings = read_settings(transaction, [fold(room)])
    if not settings:
        return None
    ((_, found),) = settings.items()
    return found, [PersonRow(*row) for row in transaction.rows(_PEOPLE, room_id=found.room_id)]


def is_member(transaction: Transaction, room: str, user: User) -> bool:
    """Whether a user has a role in a room. It takes as long whether the room exists or not."""
    return bool(transaction.rows(_ROLE, folded=fold(user.key), identity=user.identity, room=fold(room)))


def read_settings(transaction: Transaction, folded: Iterable[str]) -> dict[str, SettingsRow]:
    """The settings of those of these rooms that have some, by folded key."""
    rows = transaction.rows(_SETTINGS, wanted=[(one,) for one in folded])
    return {folded: SettingsRow(*row) for folded, *row in rows}


class OwnRoom(NamedTuple):
    """A restricted room, for one of its members. `users` is everybody in it, if it is a direct room."""

    settings: SettingsRow
    role: str
    users: list[OnlineUser] | None


def read_rooms_of(
    transaction: Transaction, folded: str, identity: str, now: int, *, after: str, most: int
) -> dict[str, OwnRoom]:
    """The restricted rooms that a user is a member of: the next `most` after `after`, in the order of their folded
    keys."""
    found = transaction.rows(_ROOMS_OF_USER, folded=folded, identity=identity, now=now, after=after, most=most)
    roles: dict[str, str] = {room: role for room, role in found}  # noqa: C416 - rows are no pairs for mypy
    direct = [(room,) for room in roles if room.startswith(DIRECT)]
    people: dict[str, list[OnlineUser]] = {}
    for room, key, by, name, color in transaction.rows(_PEOPLE_OF, wanted=direct) if direct else ():
        people.setdefault(room, []).append(OnlineUser(user=key, name=name, guest=True if by else None, color=color))
    settings = read_settings(transaction, roles) if roles else {}
    return {room: OwnRoom(settings[room], role, people.get(room)) for room, role in roles.items()}
