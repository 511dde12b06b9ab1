"""Who somebody is, on the wire."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class User:
    """An identity. The key never changes and is unique without regard to case; the name is for people."""

    key: str
    name: str
    guest: bool = False
    identity: str = ""
    """Distinguishes guests who had the same key one after the other; empty for users with an account."""


SYSTEM = User("system", "System")
"""The author of what the application itself says. Nobody can log in under this key."""


class OnlineUser(BaseModel):
    user: str
    name: str
    guest: bool | None = None
