"""Editing: whoever wrote a message gives it another text. The former ones are kept until it is deleted."""

from __future__ import annotations

from collections.abc import Sequence

from hubbub.errors import Forbidden
from hubbub.features.messages import log_sql as sql
from hubbub.features.messages.log_changes import Changed, Edit
from hubbub.features.messages.log_touched import Head, Touched


class Edits:
    """The edits of a batch."""

    def __init__(self, touched: Touched, edits: Sequence[Edit]) -> None:
        self._touched = touched
        self._kept: list[tuple[int, int, int, str]] = []

    def decide(self, head: Head, edit: Edit) -> Changed:
        touched = self._touched
        message = touched.message(head, edit)
        if message.user_id != touched.people[edit.author.address].id:
            raise Forbidden("only who wrote a message may edit it", room=head.key)
        if message.text == edit.text:
            return Changed(head.key, message.rev, None)
        previous, message.text, message.edited = message.text, edit.text, touched.now
        outcome = touched.changed(head, message, edit.author, text=edit.text, edited=touched.ts)
        self._kept.append((head.id, message.seq, message.rev, previous))
        return outcome

    def write(self) -> None:
        if self._kept:
            self._touched.transaction.run(sql.KEEP_EDITS, kept=self._kept)
