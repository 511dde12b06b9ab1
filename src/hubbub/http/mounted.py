"""What the routes need of the hub that they are made for. `Hubbub` has it; the routes know nothing more of the hub."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket

from hubbub.features.accounts.feature import AccountsFeature
from hubbub.features.feature import Feature
from hubbub.http.admission import Admissions
from hubbub.http.credentials import Credentials
from hubbub.http.session_cookie import SessionCookie
from hubbub.http.socket_address import SocketAddress
from hubbub.http.socket_endpoint import WebSocketDoor
from hubbub.node import Node
from hubbub.wire.identity import User
from hubbub.wire.schema import SchemaText


class Mounted(Protocol):
    """A hub in somebody's application."""

    authenticate: Callable[..., Any]
    credentials: Credentials | None
    """None if the application has a login of its own."""
    schema_text: SchemaText
    sockets: list[SocketAddress]
    """Those that exist, in the order in which they were added."""

    accounts: AccountsFeature | None
    """None if people have no accounts here."""
    session_cookie: SessionCookie | None

    @property
    def features(self) -> Sequence[Feature]: ...

    @property
    def node(self) -> Node: ...

    @property
    def door(self) -> WebSocketDoor: ...

    @property
    def admissions(self) -> Admissions: ...

    def lifespan(self, app: Any) -> AbstractAsyncContextManager[dict[str, Any]]: ...

    async def serve(self, websocket: WebSocket, user: Any = None, *, room: str | None = None) -> None: ...

    async def user_of(self, request: HTTPConnection, account: Any = None) -> User: ...

    def problem(self) -> str | None: ...
