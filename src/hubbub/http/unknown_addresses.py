"""WebSocket addresses that nobody serves: 404, with the nearest address that somebody does."""

from __future__ import annotations

from starlette.requests import HTTPConnection
from starlette.routing import Match, Mount
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from hubbub.errors import NotFound
from hubbub.http.admission import hide_credentials
from hubbub.http.error_responses import error_response
from hubbub.http.socket_endpoint import refuse
from hubbub.wire.keys import is_key, is_topic_pattern


class UnknownAddresses(Mount):
    """All that is left below a router's prefix, for WebSockets, and for the `GET` that asks why one is refused.

    It matches only partly, as Starlette's router calls it, so each route of the application comes first, whether it
    was added before or after this one.
    """

    def __init__(self) -> None:
        super().__init__("/", app=_say_which_is_nearest)
        # FastAPI includes no route whose path is empty, and takes this slash away again.
        self.path = "/"

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child_scope = super().matches(scope)
        if match is Match.NONE:
            return match, {}
        prefix = child_scope["root_path"]
        below = scope["path"].removeprefix(prefix).removeprefix("/")
        # A GET that ends in a slash is redirected to the address without one, if there is such.
        asks_why = scope["type"] == "http" and scope["method"] == "GET" and below.startswith("ws/") and below[-1] != "/"
        if scope["type"] != "websocket" and not asks_why:
            return Match.NONE, {}
        return Match.PARTIAL, {"endpoint": self.app, "path_params": {"prefix": prefix, "below": below}}


async def _say_which_is_nearest(scope: Scope, receive: Receive, send: Send) -> None:
    prefix, below = scope["path_params"]["prefix"], scope["path_params"]["below"]
    error = NotFound(f"no WebSocket address is called {scope['path'][:200]!r}; is {prefix}{nearest(below)} meant?")
    if scope["type"] == "websocket":
        await refuse(WebSocket(scope, receive, send), error)
        return
    hide_credentials(HTTPConnection(scope))
    await error_response(error)(scope, receive, send)


def nearest(path: str) -> str:
    """The address that somebody may have meant by another one, both below the hub's prefix."""
    words = [word for word in path.split("/") if word]
    if "notify" in words:
        topic = words[-1]
        return f"/ws/notify/{topic}" if topic != "notify" and is_topic_pattern(topic) else "/ws/notify/{topic}"
    rooms = [word for word in words if word.lower() not in {"ws", "wss", "chat", "websocket", "socket", "socket.io"}]
    if not rooms:
        return "/ws/chat" if "chat" in words else "/ws"
    return f"/ws/chat/{rooms[-1]}" if is_key(rooms[-1]) else "/ws/chat/{room}"
