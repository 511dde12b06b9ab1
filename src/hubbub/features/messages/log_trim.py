"""Forgetting a room's oldest messages: the retention floor rises, as one change of the room."""

from __future__ import annotations

from collections.abc import Sequence

from hubbub.errors import NotFound, RequestError
from hubbub.features.messages import log_sql as sql
from hubbub.features.messages.log_changes import Changed, Committing, Trim
from hubbub.features.messages.log_epochs import keep_ends
from hubbub.store.base import Transaction
from hubbub.wire.keys import fold
from hubbub.wire.rooms import RoomEvent


def trim_rooms(
    transaction: Transaction, requests: Sequence[Trim], *, committing: Committing | None = None
) -> list[Changed | Exception]:
    """The operation, for `Database.write`. In the order of the rooms' keys: two nodes never wait in a circle."""
    outcomes: dict[int, Changed | Exception] = {}
    for place, request in sorted(enumerate(requests), key=lambda pair: fold(pair[1].room)):
        try:
            outcomes[place] = _trim(transaction, request)
        except RequestError as refusal:
            outcomes[place] = refusal
    if committing is not None:
        committing(transaction, list(outcomes.values()))
    return [outcomes[place] for place in range(len(requests))]


def _trim(transaction: Transaction, request: Trim) -> Changed:
    found = transaction.rows(sql.LOCK_ROOM, folded=fold(request.room), seq=request.seq)
    if not found:
        raise NotFound(f"there is no room {request.room!r}", room=request.room)
    id, key, seq, rev, floor, trimmed = found[0]
    if request.seq <= floor:
        return Changed(key, rev, None)
    if request.seq > seq:
        raise NotFound(f"there is no message {request.seq} in room {key!r} yet", room=key)
    for statement in sql.FORGET_MESSAGES:
        transaction.run(statement, room_id=id, seq=request.seq)
    keep_ends(transaction, [id])
    # The batches of changes remember where rooms stand.
    transaction.memory.get("heads", {}).pop(fold(key), None)
    transaction.run(sql.RAISE_FLOOR, id=id, rev=rev + 1, floor=request.seq, trimmed=trimmed)
    return Changed(key, rev + 1, RoomEvent(room=key, rev=rev + 1, floor=request.seq))
