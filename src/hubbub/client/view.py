"""One room as a client sees it: its position in the room's log, and the messages up to there.

A view knows events. It knows no sockets, no clock and no other rooms.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from enum import Enum

from hubbub.client.members import RoomMembers
from hubbub.wire.connection import Welcome
from hubbub.wire.identity import OnlineUser
from hubbub.wire.keys import fold
from hubbub.wire.members import OutBecause
from hubbub.wire.messages import ChangedEvent, HistoryPage, MessageEvent, Sync
from hubbub.wire.rooms import Joined, JoinEvent, LeaveEvent, Online, RoomEvent

KEPT = 1000


class Verdict(Enum):
    """What an event means for a view."""

    APPLIED = "applied"
    KNOWN = "known"
    """The view has it already."""
    GAP = "gap"
    """Something before it is missing: join again, from the view's position."""


class RoomView:
    """A room's messages and position, fed with the room's events in the order in which they come.

    The position (`rev` in `epoch`) comes from events alone: an `ack` may overtake the events before it, so it never
    moves a position. Of two rows of one message, the one with the higher rev is newer.

    The latest messages are held, at most `kept`. `page` adds older ones.
    """

    def __init__(self, key: str, *, kept: int = KEPT, me: Callable[[], Welcome | None] = lambda: None) -> None:
        self.key = key
        self._name = key
        self.members = RoomMembers(me)
        """What is said about the room, and who is what in it."""
        self.removed: OutBecause | None = None
        """Why this client was taken out of the room; None while it is there."""
        self.epoch: str | None = None
        self.rev: int | None = None
        """None before the first `joined`, and in a room that stores nothing."""
        self.seq = 0
        self.floor = 0
        """Messages up to this seq are gone for good."""
        self.online = 0
        self.people: dict[str, OnlineUser] = {}
        """Some of those online, by their folded keys."""
        self._kept = kept
        self._first = 1
        self._rows: dict[int, MessageEvent] = {}
        self._unnumbered: deque[MessageEvent] = deque(maxlen=kept)

    @property
    def name(self) -> str:
        """The title, if there is one."""
        return self.members.title or self._name

    @property
    def role(self) -> str | None:
        """What this client's user is in the room."""
        return self.members.role

    @property
    def messages(self) -> list[MessageEvent]:
        """The latest messages, by seq. A deleted message is a row that says so.

        No message is missing between them, except while the client catches up after a long absence: then rows come by
        rev, so a message that was changed late comes late.
        """
        if self.rev is None:
            return list(self._unnumbered)
        return [self._rows[seq] for seq in sorted(self._rows)]

    @property
    def first(self) -> int:
        """The seq of the first message that the view holds; `seq` + 1 if it holds none."""
        return self._first

    @property
    def has_earlier(self) -> bool:
        """Whether the room has messages before the first one here."""
        return self._first > self.floor + 1

    def message(self, seq: int) -> MessageEvent | None:
        return self._rows.get(seq)

    def is_new(self, row: MessageEvent) -> bool:
        """Whether the view has not had this message yet."""
        return row.seq is not None and row.seq >= self._first and row.seq not in self._rows

    # What the room's log says.

    def joined(self, event: Joined) -> Verdict:
        """The answer to `join`. Where it is not recovered, all that was known is forgotten."""
        if event.recovered and event.rev is not None:
            if self._catch_up(event.since or 0, event.rev, event.floor or 0, event.messages) is Verdict.GAP:
                return Verdict.GAP
            # It differs from ours if a new epoch has begun and the room has not changed in it.
            self.epoch = event.epoch
        else:
            self._start_over(event)
        self._name, self.online = (event.room if event.title else event.name), event.online
        self.people = {fold(user.user): user for user in event.users}
        self.members.joined(event)
        return Verdict.APPLIED

    def sync(self, event: Sync) -> Verdict:
        """All rows that changed in (since, rev]."""
        verdict = self._catch_up(event.since, event.rev, event.floor, event.messages)
        if verdict is Verdict.APPLIED:
            self.members.caught_up(event)
        return verdict

    def changed(self, event: MessageEvent | ChangedEvent | RoomEvent) -> Verdict:
        """One change of the room."""
        if event.rev is None:
            if isinstance(event, MessageEvent):
                self._unnumbered.append(event)
            return Verdict.APPLIED
        if self.rev is None or event.rev > self.rev + 1:
            return Verdict.GAP
        if event.rev <= self.rev:
            return Verdict.KNOWN
        match event:
            case MessageEvent():
                self._put([event])
            case ChangedEvent():
                self._revise(event)
            case RoomEvent():
                self._raise_floor(event.floor or 0)
                self.members.changed(event)
        self.rev = event.rev
        return Verdict.APPLIED

    def page(self, page: HistoryPage) -> None:
        """Add the part of a page of history that is adjacent to the messages here."""
        rows = {row.seq: row for row in page.messages if row.seq is not None and row.seq > self.floor}
        if self.rev is None or not rows or not min(rows) <= self._first <= max(rows) + 1:
            return
        # Messages beyond the position come as events. If they were added here, there would be a gap before them.
        self._first = min(self._first, *rows)
        self._kept = max(self._kept, self.seq - self._first + 1)
        self._put(row for seq, row in rows.items() if seq <= self.seq)

    # Who is there.

    def people_changed(self, event: JoinEvent | LeaveEvent | Online) -> None:
        self.online = event.online
        match event:
            case JoinEvent():
                self.people[fold(event.user)] = OnlineUser(
                    user=event.user, name=event.name, guest=event.guest, color=event.color
                )
            case LeaveEvent():
                self.people.pop(fold(event.user), None)

    def _start_over(self, event: Joined) -> None:
        self.epoch, self.rev = event.epoch, event.rev
        self.seq, self.floor = event.seq or 0, event.floor or 0
        self._rows = {}
        self._unnumbered.clear()
        self._first = min((row.seq for row in event.messages if row.seq is not None), default=self.seq + 1)
        self._put(event.messages)

    def _catch_up(self, since: int, rev: int, floor: int, rows: Iterable[MessageEvent]) -> Verdict:
        if self.rev is None or since > self.rev:
            return Verdict.GAP
        if rev < self.rev:
            return Verdict.KNOWN
        self._raise_floor(floor)
        self._put(rows)
        self.rev = rev
        return Verdict.APPLIED

    def _put(self, rows: Iterable[MessageEvent]) -> None:
        for row in rows:
            # There would be a gap between an older message and the first one here. `page` gives it later, with this
            # change.
            if row.seq is None or row.seq < self._first:
                continue
            known = self._rows.get(row.seq)
            if known is None or (known.rev or 0) < (row.rev or 0):
                self._rows[row.seq] = row
            self.seq = max(self.seq, row.seq)
        self._forget_before(self.seq - self._kept + 1)

    def _revise(self, event: ChangedEvent) -> None:
        row = self._rows.get(event.seq)
        if row is None or (row.rev or 0) >= event.rev:
            return
        change = event.model_dump(include={"rev", "text", "edited", "deleted", "pinned"}, exclude_none=True)
        if event.deleted is not None:
            change |= dict.fromkeys(("data", "reply_to", "quote", "edited", "pinned", "reactions")) | {"text": ""}
        elif event.reactions is not None:
            change["reactions"] = event.reactions or None
        if event.pinned is False:
            change["pinned"] = None
        self._rows[event.seq] = row.model_copy(update=change)

    def _raise_floor(self, floor: int) -> None:
        self.floor = max(self.floor, floor)
        self.seq = max(self.seq, self.floor)
        self._forget_before(self.floor + 1)

    def _forget_before(self, first: int) -> None:
        for seq in range(self._first, min(first, self.seq + 1)):
            self._rows.pop(seq, None)
        self._first = max(self._first, first)
