"""Who may do what. The policy is asked for each command, so a change of its rules takes effect at the next frame."""

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
"""Whether this user may do this action in this place. It is called in the event loop for each command, so it must not
wait."""


def allow_everybody(user: User, action: Action, where: str) -> bool:
    """Everybody who is admitted may do everything everywhere, except to delete the messages of others."""
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
