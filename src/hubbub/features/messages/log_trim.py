"""Forgetting a room's oldest messages: the retention floor rises, as one change of the room."""

from __future__ import annotations

from hubbub.accounts.users import Person
from hubbub.errors import NotFound
from hubbub.features.messages import log_sql as sql
from hubbub.features.messages.log_changes import Changed, ChangeRequest, Trim
from hubbub.features.messages.log_touched import Asked, Head, Touched
from hubbub.wire.rooms import RoomEvent


class Trims:
    """The trims of a batch. They are written last, so they also remove what the batch itself wrote of these
    messages."""

    def __init__(self, touched: Touched, asked: Asked[Trim]) -> None:
        self._touched = touched
        self._floors: dict[int, int] = {}
        """The new floors, by the rooms' ids."""

    def decide(self, head: Head, person: Person, request: ChangeRequest[Trim]) -> Changed[RoomEvent]:
        seq, ts = request.command.seq, self._touched.ts
        if seq <= head.floor:
            return Changed(request, head.key, head.floor, head.rev, ts, None)
        if seq > head.seq:
            raise NotFound(f"there is no message {seq} in room {head.key!r} yet", room=head.key)
        head.floor = self._floors[head.id] = seq
        rev = head.next_rev()
        return Changed(request, head.key, seq, rev, ts, RoomEvent(room=head.key, rev=rev, floor=seq))

    def write(self) -> None:
        transaction = self._touched.transaction
        for room_id, floor in sorted(self._floors.items()):
            ((rev,),) = transaction.rows(sql.LATEST_REV_UP_TO, room_id=room_id, seq=floor)
            for statement in sql.FORGET_MESSAGES:
                transaction.run(statement, room_id=room_id, seq=floor)
            transaction.run(sql.RAISE_FLOOR, room_id=room_id, floor=floor, rev=rev)
