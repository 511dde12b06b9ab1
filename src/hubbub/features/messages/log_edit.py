"""Editing: whoever wrote a message gives it another text. The former ones are kept until it is deleted."""

from __future__ import annotations

from hubbub.accounts.users import Person
from hubbub.errors import Forbidden
from hubbub.features.messages import log_sql as sql
from hubbub.features.messages.log_changes import Changed, ChangeRequest
from hubbub.features.messages.log_touched import Asked, Head, Touched
from hubbub.wire.messages import ChangedEvent, Edit


class Edits:
    """The edits of a batch."""

    def __init__(self, touched: Touched, asked: Asked[Edit]) -> None:
        self._touched = touched
        self._kept: list[tuple[int, int, int, str]] = []

    def decide(self, head: Head, person: Person, request: ChangeRequest[Edit]) -> Changed[ChangedEvent]:
        touched, edit = self._touched, request.command
        message = touched.message(head, edit.seq)
        if message.user_id != person.id:
            raise Forbidden("only who wrote a message may edit it", room=head.key)
        if message.text == edit.text:
            return touched.unchanged(head, message, request)
        previous, message.text, message.edited = message.text, edit.text, touched.now
        changed = touched.changed(head, message, person, request, text=edit.text, edited=touched.ts)
        self._kept.append((head.id, message.seq, message.rev, previous))
        return changed

    def write(self) -> None:
        if self._kept:
            self._touched.transaction.run(sql.KEEP_EDITS, kept=self._kept)
