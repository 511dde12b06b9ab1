"""The rows of reports. A report keeps the text as it was, also if the message is edited or deleted later: otherwise
whoever is reported could take the reason away."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

from hubbub.accounts.access_changes import AccessChange, AccessKind, changed
from hubbub.accounts.audit import audit
from hubbub.accounts.timed_ids import LATEST, timed_id
from hubbub.errors import NotFound
from hubbub.features.messages.log_pages import read_after
from hubbub.store.base import Transaction
from hubbub.store.statement import Statement
from hubbub.wire.identity import User
from hubbub.wire.keys import fold

TABLES = (
    """
    CREATE TABLE reports (
        id TEXT NOT NULL PRIMARY KEY,
        at BIGINT NOT NULL,
        folded_room TEXT NOT NULL,
        room TEXT NOT NULL,
        is_public BIGINT NOT NULL,
        seq BIGINT NOT NULL,
        author TEXT NOT NULL,
        text TEXT NOT NULL,
        made_by TEXT NOT NULL,
        identity TEXT NOT NULL,
        reason TEXT NOT NULL,
        state TEXT NOT NULL,
        closed_by TEXT,
        closed_at BIGINT,
        UNIQUE (folded_room, seq, made_by, identity)
    )
    """,
    "CREATE INDEX reports_of_rooms ON reports (folded_room, state, id)",
    "CREATE INDEX reports_of_public_rooms ON reports (is_public, state, id)",
)
_COLUMNS = (
    *("id", "at", "room", "is_public", "seq", "author", "text"),
    *("made_by", "reason", "state", "closed_by", "closed_at"),
)
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM reports"  # noqa: S608 - words of this module
_PAGE = "AND state = :state AND id {by_bytes} < :before ORDER BY id {by_bytes} DESC LIMIT :number"
_OF_ROOM = Statement(f"{_SELECT} WHERE folded_room = :room {_PAGE}", columns=_COLUMNS, never_deferred=True)
_OF_PUBLIC = Statement(f"{_SELECT} WHERE is_public = 1 {_PAGE}", columns=_COLUMNS, never_deferred=True)
_OF_ID = Statement(f"{_SELECT} WHERE id = :id", columns=_COLUMNS, never_deferred=True)
_OF_PERSON = Statement(
    """
    SELECT id FROM reports
    WHERE folded_room = :room AND seq = :seq AND made_by = :made_by AND identity = :identity
    """,
    columns=("id",),
    never_deferred=True,
)
_ADD = Statement(
    """
    INSERT INTO reports (id, at, folded_room, room, is_public, seq, author, text, made_by, identity, reason, state)
    VALUES (:id, :at, :folded_room, :room, :is_public, :seq, :author, :text, :made_by, :identity, :reason, 'open')
    ON CONFLICT (folded_room, seq, made_by, identity) DO NOTHING
    """,
    never_deferred=True,
)
_SET_STATE = Statement(
    "UPDATE reports SET state = :state, closed_by = :closed_by, closed_at = :closed_at WHERE id = :id",
    never_deferred=True,
)
_FORGET = Statement("DELETE FROM reports WHERE state = 'closed' AND closed_at < :before", never_deferred=True)

State = Literal["open", "closed"]


@dataclass(frozen=True, slots=True)
class StoredReport:
    """Times are in milliseconds since 1970."""

    id: str
    at: int
    room: str
    is_public: int
    seq: int
    author: str
    text: str
    by: str
    reason: str
    state: State
    closed_by: str | None = None
    closed_at: int | None = None


def add_report(
    transaction: Transaction, user: User, room: str, seq: int, reason: str, *, is_public: bool
) -> tuple[str, AccessChange | None]:
    """Returns the report's id: that of the earlier one, if this user has reported the message before. `is_public` says
    whether administrators may know of the room. Give the change to `AccessChanges.tell` when this is committed.

    Raises `NotFound` if there is no such message. The caller has asked whether the user may read the room.
    """
    page = read_after(transaction, room, seq - 1, 1)
    if not page.messages or page.messages[0].seq != seq or page.messages[0].deleted is not None:
        raise NotFound(f"there is no message {seq} in room {room!r}", room=room)
    (message,) = page.messages
    id, now, key = timed_id(), time.time_ns() // 1_000_000, fold(room)
    transaction.run(
        _ADD,
        id=id,
        at=now,
        folded_room=key,
        room=page.head.room,
        is_public=int(is_public),
        seq=seq,
        author=message.user,
        text=message.text,
        made_by=user.key,
        identity=user.identity,
        reason=reason,
    )
    ((stored,),) = transaction.rows(_OF_PERSON, room=key, seq=seq, made_by=user.key, identity=user.identity)
    if stored != id:
        return str(stored), None
    if is_public:
        # Administrators read the audit log, and must not learn of private rooms.
        audit(transaction, user.key, "report.add", message.user, room=page.head.room, seq=seq)
    return id, changed(transaction, AccessKind.REPORT, id)


def reports_of(
    transaction: Transaction, *, room: str | None, state: State, before: str = LATEST, number: int
) -> list[StoredReport]:
    """The reports of a room, or those of all public rooms, the latest first."""
    if room is None:
        rows = transaction.rows(_OF_PUBLIC, state=state, before=before, number=number)
    else:
        rows = transaction.rows(_OF_ROOM, room=fold(room), state=state, before=before, number=number)
    return [StoredReport(*row) for row in rows]


def report_of_id(transaction: Transaction, id: str) -> StoredReport:
    """Raises `NotFound`."""
    rows = transaction.rows(_OF_ID, id=id)
    if not rows:
        raise NotFound("there is no such report")
    return StoredReport(*rows[0])


def set_state(transaction: Transaction, id: str, state: State, *, by: str) -> tuple[StoredReport, AccessChange | None]:
    """Give the change to `AccessChanges.tell` when this is committed; None if the report is in this state already.
    Raises `NotFound`."""
    report = report_of_id(transaction, id)
    if report.state == state:
        return report, None
    is_closed = state == "closed"
    closed_at = time.time_ns() // 1_000_000 if is_closed else None
    transaction.run(_SET_STATE, id=id, state=state, closed_by=by if is_closed else None, closed_at=closed_at)
    if report.is_public:
        action = "report.close" if is_closed else "report.open"
        audit(transaction, by, action, report.author, room=report.room, seq=report.seq)
    return report_of_id(transaction, id), changed(transaction, AccessKind.REPORT, id)


def forget_old_reports(transaction: Transaction, *, days: int) -> None:
    """Delete those that were closed longer ago: they keep words that their author may have deleted."""
    transaction.run(_FORGET, before=int((time.time() - days * 86_400) * 1000))
