"""What the database holds, read by another program after the server has stopped."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

MESSAGES = """
    SELECT messages.seq, messages.rev, users.key, users.name, messages.text, messages.ts, messages.key,
        messages.edited IS NOT NULL, messages.deleted IS NOT NULL, messages.pinned IS NOT NULL, messages.reactions
    FROM messages JOIN users ON users.id = messages.user_id
    WHERE messages.room_id = ? ORDER BY messages.seq
"""
REACTIONS = """
    SELECT reactions.seq, reactions.emoji, users.key
    FROM reactions JOIN users ON users.id = reactions.user_id WHERE reactions.room_id = ?
"""


@dataclass(frozen=True)
class Row:
    """The final state of a message, in the database or in a client's view."""

    seq: int
    rev: int
    user: str
    name: str
    text: str
    ts: str | None
    key: str | None
    edited: bool
    deleted: bool
    pinned: bool
    reactions: tuple[tuple[str, frozenset[str]], ...]
    """Emoji and people, the emoji in the order of their first use."""


@dataclass(frozen=True)
class KeptRoom:
    seq: int
    rev: int
    rows: list[Row]
    reactions: set[tuple[int, str, str]]
    """Seq, emoji and user."""


@contextmanager
def opened(file: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as database:
        yield database


def check_integrity(file: Path) -> None:
    with opened(file) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []


def read_room(file: Path, room: str) -> KeptRoom:
    with opened(file) as database:
        return _read_room(lambda query, value: database.execute(query, [value]).fetchall(), room)


def read_room_of_postgres(url: str, room: str) -> KeptRoom:
    with psycopg.connect(url) as database:
        return _read_room(lambda query, value: database.execute(query.replace("?", "%s"), [value]).fetchall(), room)


def _read_room(rows: Callable[[str, Any], list[Any]], room: str) -> KeptRoom:
    ((id, seq, rev),) = rows("SELECT id, seq, rev FROM rooms WHERE folded = ?", room.lower())
    return KeptRoom(seq, rev, [_row(*row) for row in rows(MESSAGES, id)], set(rows(REACTIONS, id)))


def _row(seq: int, rev: int, user: str, name: str, text: str, ts: int, key: str | None, *rest: Any) -> Row:
    edited, deleted, pinned, reactions = rest
    return Row(
        seq,
        rev,
        user,
        name,
        text,
        _time(ts),
        key,
        bool(edited),
        bool(deleted),
        bool(pinned),
        tuple((one["emoji"], frozenset(one["users"])) for one in json.loads(reactions or "[]")),
    )


def _time(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
