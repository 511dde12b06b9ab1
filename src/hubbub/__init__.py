"""Hubbub: a real-time chat server, and a library that puts one into a FastAPI application.

from hubbub import Hubbub

hub = Hubbub(authenticate=current_user)
app.include_router(hub.router, prefix="/chat")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubbub.wire.commands import Command
from hubbub.wire.events import Event
from hubbub.wire.identity import User

if TYPE_CHECKING:
    from hubbub.hub.connection import Connection
    from hubbub.server.hubbub import Hubbub

__all__ = ["Command", "Connection", "Event", "Hubbub", "User"]


def __getattr__(name: str) -> Any:
    # The server's parts are heavy to import, and the Python client needs none of them.
    if name == "Hubbub":
        from hubbub.server.hubbub import Hubbub

        return Hubbub
    if name == "Connection":
        from hubbub.hub.connection import Connection

        return Connection
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
