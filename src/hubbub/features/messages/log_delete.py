"""Deleting: a tombstone is left. Text, data, former texts and reactions are gone from the database."""

from __future__ import annotations

from hubbub.accounts.audit import audit
from hubbub.accounts.roles import is_restricted
from hubbub.accounts.users import Person
from hubbub.errors import Forbidden
from hubbub.features.messages import log_sql as sql
from hubbub.features.messages.log_changes import Changed, ChangeRequest
from hubbub.features.messages.log_touched import Asked, Head, Message, Touched
from hubbub.wire.keys import fold
from hubbub.wire.messages import ChangedEvent, Delete


class Deletes:
    """The deletions of a batch. They are written after all other changes of messages, which they undo."""

    def __init__(self, touched: Touched, asked: Asked[Delete]) -> None:
        self._touched = touched
        self._of_others: list[tuple[str, str, Message]] = []

    def decide(self, head: Head, person: Person, request: ChangeRequest[Delete]) -> Changed[ChangedEvent]:
        touched = self._touched
        message = touched.message(head, request.command.seq, or_deleted=True)
        if message.user_id != person.id and not request.of_anybody:
            raise Forbidden("you may not delete what somebody else wrote", room=head.key)
        if message.deleted is not None:
            return touched.unchanged(head, message, request)
        message.deleted = touched.now
        if message.user_id != person.id and not is_restricted(fold(head.key)):
            self._of_others.append((head.key, person.key, message))
        return touched.changed(head, message, person, request, deleted=touched.ts)

    def write(self) -> None:
        for room, actor, message in self._of_others:
            audit(self._touched.transaction, actor, "message.delete", message.user_key, room=room, seq=message.seq)
        run, buried = self._touched.transaction.run, self._touched.buried()
        if buried:
            gone = sorted((message.room_id, message.seq) for message in buried)
            run(
                sql.BURY_MESSAGES,
                buried=[(message.room_id, message.seq, message.rev, message.deleted) for message in buried],
            )
            run(sql.FORGET_EDITS, buried=gone)
            run(sql.FORGET_REACTIONS, buried=gone)
