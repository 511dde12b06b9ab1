"""Reading a room's log: its head, and pages of whole rows. For `Database.read`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic_core import from_json

from hubbub.features.messages import log_sql as sql
from hubbub.features.messages.log_rows import ReadMessage, RoomHead
from hubbub.features.messages.log_send import QUOTED
from hubbub.store.base import Transaction
from hubbub.store.statement import Statement
from hubbub.wire.base import timestamp_of
from hubbub.wire.identity import OnlineUser
from hubbub.wire.keys import fold
from hubbub.wire.messages import MessageEvent, Quote, Reaction

ROW_BYTES = 300
"""Bytes of a message as JSON without its text, data and reactions, estimated."""


@dataclass(frozen=True, slots=True)
class Head:
    """The state of a room's numbers. For a room that nobody has spoken in, they are 0."""

    room: str
    seq: int
    rev: int
    floor: int
    """Messages up to this seq are gone."""
    floor_rev: int
    """The highest rev of the messages that are gone."""
    epoch: str
    changed_in: int
    """The number of the epoch of the room's latest change."""
    id: int | None

    def continues(self, rev: int, epoch_number: int, ended: int) -> bool:
        """Whether the rows after `rev` are everything that a client misses that was at `rev` in that epoch.

        They are not if messages after `rev` were trimmed. They are not either if `rev` is above the room's last rev in
        that epoch, since then the client knows changes that this database never had. `ended` is this last rev, if the
        room has changed in a newer epoch.
        """
        return self.floor_rev <= rev <= (self.rev if epoch_number >= self.changed_in else ended)


@dataclass(frozen=True, slots=True)
class Page:
    """Whole rows of one room, and its head when they were read."""

    head: Head
    messages: list[MessageEvent]
    users: list[OnlineUser]
    more: bool
    size: int
    """Bytes as JSON, estimated."""
    continues: bool = True
    """Whether the rows are everything after the position that was given."""

    @property
    def last_rev(self) -> int:
        """For a page by rev that has `more`: where the next page begins."""
        return self.messages[-1].rev or 0


def read_heads(transaction: Transaction, rooms: Sequence[str]) -> list[Head]:
    """The heads of rooms, in their order."""
    wanted = {fold(room): room for room in rooms}
    found = {}
    for one in map(RoomHead._make, transaction.rows(sql.HEADS, wanted=[(folded,) for folded in wanted])):
        room = one.key or wanted[one.folded]
        found[one.folded] = Head(room, one.seq, one.rev, one.floor, one.floor_rev, one.epoch, one.changed_in, one.id)
    return [found[fold(room)] for room in rooms]


def read_changes(transaction: Transaction, room: str, rev: int, limit: int, epoch: str) -> Page:
    """The first `limit` rows with a rev above `rev`, by rev, tombstones included.

    If the database cannot tell everything after the position (rev, epoch), the page has no rows and `continues` is
    false. This is so if the database never had the epoch.
    """
    (head,) = read_heads(transaction, [room])
    known = transaction.rows(sql.EPOCH, name=epoch, room_id=head.id)
    continues = any(head.continues(rev, number, ended) for number, ended in known)
    rows = []
    if continues:
        rows = _rows(transaction, sql.CHANGED_SINCE, head, limit + 1, rev=rev, floor=head.floor, seq=head.seq)
    return _page(head, rows, limit, continues=continues)


def read_latest(transaction: Transaction, room: str, limit: int) -> Page:
    """The newest messages, by seq."""
    (head,) = read_heads(transaction, [room])
    return _before(transaction, head, head.seq + 1, limit)


def read_before(transaction: Transaction, room: str, seq: int, limit: int) -> Page:
    """The last messages before `seq`, by seq."""
    (head,) = read_heads(transaction, [room])
    return _before(transaction, head, seq, limit)


def read_after(transaction: Transaction, room: str, seq: int, limit: int) -> Page:
    """The first messages after `seq`, by seq."""
    (head,) = read_heads(transaction, [room])
    return _page(head, _rows(transaction, sql.AFTER, head, limit + 1, seq=seq), limit)


def read_around(transaction: Transaction, room: str, seq: int, limit: int) -> Page:
    """The message `seq` and those before and after it. `more` is true if there are more on either side."""
    (head,) = read_heads(transaction, [room])
    older = _before(transaction, head, seq, limit // 2)
    newer = _page(head, _rows(transaction, sql.AFTER, head, limit - limit // 2 + 1, seq=seq - 1), limit - limit // 2)
    messages = older.messages + newer.messages
    return Page(head, messages, _users([*older.users, *newer.users]), older.more or newer.more, older.size + newer.size)


def read_pinned(transaction: Transaction, room: str, limit: int) -> Page:
    """The newest of the pinned messages, by seq."""
    (head,) = read_heads(transaction, [room])
    rows = _rows(transaction, sql.PINNED, head, limit + 1)
    return _page(head, rows[:limit][::-1], limit, more=len(rows) > limit)


def _before(transaction: Transaction, head: Head, seq: int, limit: int) -> Page:
    rows = _rows(transaction, sql.BEFORE, head, limit + 1, seq=seq)
    return _page(head, rows[:limit][::-1], limit, more=len(rows) > limit)


def _rows(
    transaction: Transaction, statement: Statement, head: Head, limit: int, **parameters: int
) -> list[ReadMessage]:
    if head.id is None:
        return []
    rows = transaction.rows(statement, room_id=head.id, limit=limit, quoted=QUOTED, **parameters)
    return list(map(ReadMessage._make, rows))


def _page(head: Head, rows: list[ReadMessage], limit: int, *, more: bool | None = None, continues: bool = True) -> Page:
    shown = rows[:limit]
    return Page(
        head,
        [_message(head.room, row) for row in shown],
        _users(
            OnlineUser(user=row.user_key, name=row.name, guest=bool(row.guest) or None, color=row.color)
            for row in shown
        ),
        len(rows) > limit if more is None else more,
        sum(ROW_BYTES + len(row.text.encode()) + len(row.data or "") + len(row.reactions or "") for row in shown),
        continues,
    )


def _users(users: Iterable[OnlineUser]) -> list[OnlineUser]:
    return list({(user.user, user.name): user for user in users}.values())


def _message(room: str, row: ReadMessage) -> MessageEvent:
    # The fields were validated when the message came in.
    return MessageEvent(
        room=room,
        seq=row.seq,
        rev=row.rev,
        user=row.user_key,
        name=row.name,
        kind=row.kind,
        text=row.text,
        ts=timestamp_of(row.ts),
        key=row.key,
        reply_to=row.reply_to,
        quote=_quote(row),
        data=from_json(row.data) if row.data is not None else None,
        edited=timestamp_of(row.edited) if row.edited is not None else None,
        deleted=timestamp_of(row.deleted) if row.deleted is not None else None,
        pinned=True if row.pinned is not None else None,
        reactions=[Reaction(**one) for one in from_json(row.reactions)] if row.reactions else None,
    )


def _quote(row: ReadMessage) -> Quote | None:
    if row.quoted_key is None:
        return None
    deleted = True if row.quoted_deleted is not None else None
    return Quote(user=row.quoted_key, name=row.quoted_name, text=row.quoted_text, deleted=deleted)
