"""Where rooms ended in earlier epochs: kept when a later epoch touches a room first, once for each room and epoch."""

from __future__ import annotations

from collections.abc import Sequence

from hubbub.features.messages import log_sql as sql
from hubbub.store.base import Transaction


def keep_ends(transaction: Transaction, room_ids: Sequence[int]) -> None:
    """Call it before rooms are changed that this connection has not changed yet.

    It is for a database with one writer, where an epoch is one life of that writer. Where several nodes write, an epoch
    begins only after changes may have been lost, and nobody knows where a room ended.
    """
    if not transaction.is_alone or not room_ids:
        return
    wanted = [(room_id,) for room_id in room_ids]
    transaction.run(sql.KEEP_ENDS, wanted=wanted)
    transaction.run(sql.FORGET_ENDS, wanted=wanted)
