"""Deleting: a tombstone is left. Text, data, former texts and reactions are gone from the database."""

from __future__ import annotations

from collections.abc import Sequence

from hubbub.errors import Forbidden
from hubbub.features.messages import log_sql as sql
from hubbub.features.messages.log_changes import Changed, Delete
from hubbub.features.messages.log_touched import Head, Touched


class Deletes:
    """The deletions of a batch. They are written last: what else the batch did to these messages goes with them."""

    def __init__(self, touched: Touched, deletes: Sequence[Delete]) -> None:
        self._touched = touched

    def decide(self, head: Head, delete: Delete) -> Changed:
        touched = self._touched
        message = touched.message(head, delete, or_deleted=True)
        if message.user_id != touched.people[delete.author.address].id and not delete.of_anybody:
            raise Forbidden("you may not delete what somebody else wrote", room=head.key)
        if message.deleted is not None:
            return Changed(head.key, message.rev, None)
        message.deleted = touched.now
        return touched.changed(head, message, delete.author, deleted=touched.ts)

    def write(self) -> None:
        run, buried = self._touched.transaction.run, self._touched.buried()
        if buried:
            gone = sorted((message.room_id, message.seq) for message in buried)
            run(
                sql.BURY_MESSAGES,
                buried=[(message.room_id, message.seq, message.rev, message.deleted) for message in buried],
            )
            run(sql.FORGET_EDITS, buried=gone)
            run(sql.FORGET_REACTIONS, buried=gone)
