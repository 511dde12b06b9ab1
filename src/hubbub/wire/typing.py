"""Who is typing in a room."""

from __future__ import annotations

from typing import Literal

from hubbub.wire.base import Command, Event
from hubbub.wire.keys import Key


class Typing(Command):
    """This user began (or ended) typing in a room. Expires by itself after 6 s. Not answered without an `id`."""

    type: Literal["typing"] = "typing"
    room: Key
    active: bool = True


class TypingEvent(Event):
    """Somebody types, or no longer does. Forget it after 6 s."""

    type: Literal["typing"] = "typing"
    room: str
    user: str
    name: str
    active: bool
