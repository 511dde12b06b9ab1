"""WebSocket addresses that nobody serves get 404, with the nearest address that exists."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from urllib.parse import quote

from starlette.requests import HTTPConnection
from starlette.routing import Match, Mount
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from hubbub.errors import NotFound
from hubbub.http.admission import hide_credentials
from hubbub.http.error_responses import error_response
from hubbub.http.socket_address import SocketAddress
from hubbub.http.socket_endpoint import refuse
from hubbub.wire.keys import is_key


class UnknownAddresses(Mount):
    """A route for all other addresses below a router's prefix: for WebSockets, and for the `GET` that asks why one is
    refused.

    It is only a partial match (Starlette's word), so every route of the application comes first, also one that is added
    after this one.
    """

    def __init__(self, sockets: Sequence[SocketAddress]) -> None:
        """`sockets` are the addresses that exist. It may grow."""
        super().__init__("/", app=self._say_which_is_nearest)
        self._sockets = sockets
        # FastAPI does not include a route with an empty path. It removes this slash.
        self.path = "/"

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child_scope = super().matches(scope)
        if match is Match.NONE:
            return match, {}
        prefix = child_scope["root_path"]
        below = scope["path"].removeprefix(prefix).removeprefix("/")
        # A GET of an address that ends in a slash is redirected to the address without it, if that exists.
        asks_why = scope["type"] == "http" and scope["method"] == "GET" and below.startswith("ws/") and below[-1] != "/"
        if scope["type"] != "websocket" and not asks_why:
            return Match.NONE, {}
        return Match.PARTIAL, {"endpoint": self.app, "path_params": {"prefix": prefix, "below": below}}

    async def _say_which_is_nearest(self, scope: Scope, receive: Receive, send: Send) -> None:
        prefix, below = scope["path_params"]["prefix"], scope["path_params"]["below"]
        error = NotFound(
            f"no WebSocket address is called {scope['path'][:200]!r}; is {prefix}{nearest(below, self._sockets)} meant?"
        )
        if scope["type"] == "websocket":
            await refuse(WebSocket(scope, receive, send), error)
            return
        hide_credentials(HTTPConnection(scope))
        await error_response(error)(scope, receive, send)


_SOCKETS = frozenset({"ws", "wss", "websocket", "socket", "socket.io"})


def nearest(path: str, sockets: Sequence[SocketAddress]) -> str:
    """The one of these addresses that is most like an unknown one; all are below the hub's prefix.

    The first address that takes a name is meant where nothing speaks for another one. In the addresses of many
    tutorials, two names behind `ws` are a room and a username.
    """
    named = [socket for socket in sockets if socket.takes_name]
    first, others = named[0], named[1:]
    words = [word for word in path.split("/") if word]
    words[:-1] = [_without_slip(word, named) for word in words[:-1]]
    kinds = {word.lower() for word in words}
    names = [word for word in words if word.lower() not in _SOCKETS.union(*(socket.words for socket in named))]
    other = next((socket for socket in others if kinds & socket.words), None)
    if other is not None:
        return other.of(names[-1]) if names else other.path
    if not names:
        return first.base if kinds & first.words else sockets[0].path
    if len(names) == 2 and words[0].lower() in _SOCKETS and all(map(is_key, names)):
        return f"{first.of(names[0])}?username={quote(names[1])}"
    return first.of(names[-1])


def _without_slip(word: str, sockets: Sequence[SocketAddress]) -> str:
    """The word of an address that is nearly the same, such as `chat` for `chatt`; otherwise the word itself."""
    known = [known for socket in sockets for known in socket.words]
    return next(iter(get_close_matches(word, known, n=1, cutoff=0.88)), word)
