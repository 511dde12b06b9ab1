"""The rows of the log's statements, by name. A statement takes its columns from here, so each column stands in one
class and in the SQL, and a row that lacks one cannot be made."""

from __future__ import annotations

from typing import NamedTuple, get_args, get_type_hints


class NewMessage(NamedTuple):
    """What a send adds. `ts` is in milliseconds since 1970, `data` is JSON."""

    room_id: int
    seq: int
    rev: int
    user_id: int
    kind: str
    text: str
    ts: int
    key: str | None
    digest: int | None
    reply_to: int | None
    data: str | None


class KeyedMessage(NamedTuple):
    """What was sent under an idempotency key: the columns of `NewMessage` that tell a repeat its answer."""

    room_id: int
    user_id: int
    key: str
    digest: int | None
    seq: int
    rev: int
    ts: int


class ReadMessage(NamedTuple):
    """A message on a page, with its author and what it quotes. Moments are in milliseconds since 1970."""

    seq: int
    rev: int
    user_key: str
    name: str
    guest: int
    kind: str
    text: str
    ts: int
    key: str | None
    reply_to: int | None
    data: str | None
    edited: int | None
    deleted: int | None
    pinned: int | None
    reactions: str | None
    quoted_key: str | None
    quoted_name: str
    quoted_text: str
    quoted_deleted: int | None


class RoomHead(NamedTuple):
    """Where a room stands. One that nobody has spoken in has neither an id nor a key."""

    folded: str
    id: int | None
    seq: int
    rev: int
    floor: int
    floor_rev: int
    changed_in: int
    epoch: str
    key: str | None


def types_of(row: type[tuple[object, ...]]) -> dict[str, type]:
    """The columns of a row class with their types, as a statement wants them for its table."""
    hints = get_type_hints(row)
    return {column: get_args(hint)[0] if get_args(hint) else hint for column, hint in hints.items()}
