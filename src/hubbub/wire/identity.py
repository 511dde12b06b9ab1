"""Who somebody is, as far as the wire can tell."""

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
    """Tells a guest from an earlier one of the same key, who was somebody else; empty for those with an account."""


SYSTEM = User("system", "System")
"""Who speaks when the application does. Nobody logs in under its key."""


class OnlineUser(BaseModel):
    user: str
    name: str
    guest: bool | None = None
