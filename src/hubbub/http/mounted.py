"""What the routes need of the hub that they are made for. `Hubbub` is one; they know nothing else of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from starlette.websockets import WebSocket

from hubbub.features.messages.messages import Said
from hubbub.http.admission import Admissions
from hubbub.http.socket_endpoint import WebSocketDoor
from hubbub.node import Node
from hubbub.wire.commands import SendMessage
from hubbub.wire.identity import User


class Posting(Protocol):
    async def post(self, user: User, command: SendMessage) -> Said:
        """A user says something without a connection. Raises what the command would be refused with."""


class Mounted(Protocol):
    """A hub in somebody's application."""

    authenticate: Callable[..., Any]

    @property
    def built_in(self) -> Posting: ...

    @property
    def node(self) -> Node: ...

    @property
    def door(self) -> WebSocketDoor: ...

    @property
    def admissions(self) -> Admissions: ...

    def lifespan(self, app: Any) -> AbstractAsyncContextManager[dict[str, Any]]: ...

    async def serve(self, websocket: WebSocket, user: Any = None, *, room: str | None = None) -> None: ...

    def problem(self) -> str | None: ...

    def schema(self) -> dict[str, Any]: ...
