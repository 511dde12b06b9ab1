"""Who may do what: asked for each command, so that a change of rules holds from the next frame on."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from hubbub.wire.identity import User


class Action(StrEnum):
    """What a policy is asked about."""

    JOIN = "join"
    SEND = "send"
    TYPE = "type"


class Policy(Protocol):
    """The policy port. It is asked in the event loop for each command, so it answers from memory."""

    def allows(self, user: User, action: Action, room: str) -> bool: ...


class OpenPolicy:
    """Everybody who was let in may join any room and speak in it."""

    def allows(self, user: User, action: Action, room: str) -> bool:
        return True
