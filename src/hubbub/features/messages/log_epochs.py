"""Keeps the rev that each room had at the end of earlier epochs. The first change of a room in a new epoch stores
it."""

from __future__ import annotations

from collections.abc import Sequence

from hubbub.features.messages import log_sql as sql
from hubbub.store.base import Transaction


def keep_ends(transaction: Transaction, room_ids: Sequence[int]) -> None:
    """Call it before this connection changes rooms for the first time.

    It does nothing where several nodes write: an epoch begins there only after changes may have been lost, and then
    nobody knows where a room ended. With one writer, an epoch is the time from one start of it to the next.
    """
    if not transaction.is_alone or not room_ids:
        return
    wanted = [(room_id,) for room_id in room_ids]
    transaction.run(sql.KEEP_ENDS, wanted=wanted)
    transaction.run(sql.FORGET_ENDS, wanted=wanted)
