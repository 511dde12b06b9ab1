"""Kinds of room, and what somebody is in one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hubbub.wire.identity import Role, User
from hubbub.wire.keys import fold, is_key

PRIVATE, DIRECT = "private:", "dm:"
RESTRICTED = (PRIVATE, DIRECT)
"""How the folded keys of private and direct rooms begin. The server makes these keys, and no other room has one."""


class RoomKind(StrEnum):
    PUBLIC = "public"
    """Everybody who is admitted may join."""
    PRIVATE = "private"
    """Only members know anything of it."""
    DIRECT = "direct"
    """Between a few people, always the same."""
    APPLICATION = "application"
    """The application says who is what there. It is stored and shown as a public one."""

    __hash__ = str.__hash__


class RoomRole(StrEnum):
    OWNER = "owner"
    MODERATOR = "moderator"
    MEMBER = "member"
    GUEST = "guest"
    """A guest in a public room. A guest who is invited to a private one is a member there."""
    NOBODY = "nobody"

    __hash__ = str.__hash__


def is_restricted(folded: str) -> bool:
    """Whether only its members may know anything of the room with this folded key."""
    return folded.startswith(RESTRICTED)


def may_be_public(key: str) -> bool:
    """Whether a public room can have this key."""
    return is_key(key) and not is_restricted(fold(key))


def role_in_public(user: User, given: RoomRole = RoomRole.NOBODY) -> RoomRole:
    """What a user is in a public room. `given` is what the room's people have made of the user."""
    if user.role is Role.ADMIN:
        return RoomRole.OWNER
    if given is not RoomRole.NOBODY:
        return given
    return RoomRole.GUEST if user.guest else RoomRole.MEMBER


@dataclass(slots=True)
class Standing:
    """What somebody is in a room with settings. `muted` and `banned` say until when."""

    role: RoomRole = RoomRole.NOBODY
    muted: int = 0
    banned: int = 0
