"""Who may do what: asked for each command, so that a change of rules holds from the next frame on."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from hubbub.errors import Forbidden
from hubbub.wire.identity import User


class Action(StrEnum):
    """What a policy is asked about. The last argument is the room's key, or the topic."""

    JOIN = "join"
    SEND = "send"
    EDIT = "edit"
    DELETE = "delete"
    MODERATE = "moderate"
    """Delete what others wrote."""
    REACT = "react"
    PIN = "pin"
    READ = "read"
    TYPE = "type"
    FOLLOW = "follow"
    PUBLISH = "publish"


Policy = Callable[[User, Action, str], bool]
"""Who, what and where: True if they may. It is asked in the event loop for each command, so it answers from memory."""


def allow_everybody(user: User, action: Action, where: str) -> bool:
    """Everybody who was let in may do everything everywhere, but to what others wrote."""
    return action is not Action.MODERATE


_WORDS = {
    Action.JOIN: "join room",
    Action.READ: "read room",
    Action.FOLLOW: "follow topic",
    Action.PUBLISH: "publish to topic",
}
_ABOUT_TOPICS = {Action.FOLLOW, Action.PUBLISH}


def permit(policy: Policy, user: User, action: Action, where: str) -> None:
    """Ask the policy. Raises `Forbidden` if it says no."""
    if not policy(user, action, where):
        words = _WORDS.get(action) or f"{action.value} in room"
        raise Forbidden(f"you may not {words} {where!r}", room=None if action in _ABOUT_TOPICS else where)
