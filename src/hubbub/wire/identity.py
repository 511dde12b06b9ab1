"""Who somebody is, on the wire."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import BaseModel, Field


class Role(StrEnum):
    """What somebody is on this server. What somebody is in a room is another matter."""

    GUEST = "guest"
    """Without an account."""
    MEMBER = "member"
    ADMIN = "admin"

    # That of `Enum` is a Python function, and this one is called for each command.
    __hash__ = str.__hash__


@dataclass(frozen=True, slots=True)
class User:
    """An identity. The key never changes and is unique without regard to case; the name is for people."""

    key: str
    name: str
    guest: bool = False
    identity: str = ""
    """Distinguishes guests who had the same key one after the other. The hub gives one to the guests whom it admits
    itself; it is empty for everybody whom an application's own login names."""
    role: Role = Role.MEMBER
    """A guest's role is always `guest`."""
    scopes: tuple[str, ...] | None = field(default=None, compare=False, repr=False)
    """What the credential allows of all that the user may do, such as an API key's scopes; None: all of it."""
    color: str | None = None
    """What an account has chosen for the avatar, as `#rrggbb`."""

    def __post_init__(self) -> None:
        if self.guest:
            object.__setattr__(self, "role", Role.GUEST)


SYSTEM = User("system", "System")
"""The author of what the application itself says. Nobody can log in under this key."""


class OnlineUser(BaseModel):
    user: str
    name: str
    guest: bool | None = None
    color: str | None = Field(None, description="The colour that the user has chosen, as `#rrggbb`.")

    @classmethod
    def of(cls, user: User) -> OnlineUser:
        return cls(user=user.key, name=user.name, guest=user.guest or None, color=user.color)
