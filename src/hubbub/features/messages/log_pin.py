"""Pinning a message for everybody, and unpinning it."""

from __future__ import annotations

from hubbub.accounts.users import Person
from hubbub.features.messages.log_changes import Changed, ChangeRequest
from hubbub.features.messages.log_touched import Asked, Head, Touched
from hubbub.wire.messages import ChangedEvent, Pin


class Pins:
    """The pins of a batch. They stand in the messages' own rows."""

    def __init__(self, touched: Touched, asked: Asked[Pin]) -> None:
        self._touched = touched

    def decide(self, head: Head, person: Person, request: ChangeRequest[Pin]) -> Changed[ChangedEvent]:
        touched, pin = self._touched, request.command
        message = touched.message(head, pin.seq)
        if (message.pinned is not None) == pin.on:
            return touched.unchanged(head, message, request)
        message.pinned = touched.now if pin.on else None
        return touched.changed(head, message, person, request, pinned=pin.on)

    def write(self) -> None:
        """Nothing: `Touched.write_messages` writes them."""
