"""Pinning a message for everybody, and unpinning it."""

from __future__ import annotations

from collections.abc import Sequence

from hubbub.features.messages.log_changes import Changed, Pin
from hubbub.features.messages.log_touched import Head, Touched


class Pins:
    """The pins of a batch. They stand in the messages' own rows."""

    def __init__(self, touched: Touched, pins: Sequence[Pin]) -> None:
        self._touched = touched

    def decide(self, head: Head, pin: Pin) -> Changed:
        message = self._touched.message(head, pin)
        if (message.pinned is not None) == pin.on:
            return Changed(head.key, message.rev, None)
        message.pinned = self._touched.now if pin.on else None
        return self._touched.changed(head, message, pin.author, pinned=pin.on)

    def write(self) -> None:
        """There is nothing besides."""
