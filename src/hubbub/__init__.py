"""Hubbub: a real-time chat server, and a library that puts one into a FastAPI application.

from hubbub import Hubbub

hub = Hubbub(authenticate=current_user)
app.include_router(hub.router, prefix="/chat")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hubbub.errors import (
    ConfigurationError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    NotStarted,
    RateLimited,
    Unavailable,
)
from hubbub.settings import Settings
from hubbub.wire.base import Command, Event, Reply
from hubbub.wire.identity import Role, User
from hubbub.wire.messages import MessageEvent

if TYPE_CHECKING:
    from hubbub.accounts.identity import Authenticated
    from hubbub.accounts.policies import Action
    from hubbub.app.hubbub import Hubbub
    from hubbub.app.rate_limit import RateLimit
    from hubbub.delivery.connection import Connection
    from hubbub.dispatch.hooks import Draft
    from hubbub.features.feature import Feature
    from hubbub.http.bearer import bearer_token
    from hubbub.serving.server import run

__all__ = [
    "Action",
    "Authenticated",
    "Command",
    "ConfigurationError",
    "Conflict",
    "Connection",
    "Draft",
    "Event",
    "Feature",
    "Forbidden",
    "Hubbub",
    "Invalid",
    "MessageEvent",
    "NotFound",
    "NotStarted",
    "RateLimit",
    "RateLimited",
    "Reply",
    "Role",
    "Settings",
    "Unavailable",
    "User",
    "bearer_token",
    "run",
]

# The server's parts are heavy to import, and the Python client needs none of them.
_HOMES = {
    "Action": "hubbub.accounts.policies",
    "Authenticated": "hubbub.accounts.identity",
    "Connection": "hubbub.delivery.connection",
    "Draft": "hubbub.dispatch.hooks",
    "Feature": "hubbub.features.feature",
    "Hubbub": "hubbub.app.hubbub",
    "RateLimit": "hubbub.app.rate_limit",
    "bearer_token": "hubbub.http.bearer",
    "run": "hubbub.serving.server",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        try:
            return getattr(import_module(_HOMES[name]), name)
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("hubbub"):
                raise
            raise ModuleNotFoundError(
                f"{error.name} is not installed, which hubbub.{name} needs: pip install 'hubbub[server]'",
                name=error.name,
            ) from None
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
