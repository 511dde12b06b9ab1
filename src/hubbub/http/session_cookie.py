"""The cookie of a log-in: how it is set, read and removed, and what keeps other sites from using it.

A browser sends cookies with every request to this server, whichever page makes it. So a WebSocket, and a request that
changes something, count by cookie only if the page's origin may connect here; and such a request needs the header
`Hubbub-CSRF` as well, which a page of another site cannot send.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import HTTPConnection
from starlette.responses import Response

from hubbub.accounts.identity import Authenticated
from hubbub.errors import Forbidden, Unauthenticated
from hubbub.features.accounts.feature import AccountsFeature
from hubbub.http.origins import Origins

COOKIE = "hubbub_session"
CSRF_HEADER = "hubbub-csrf"
KEPT = 400 * 24 * 3600
"""Seconds for which a browser keeps the cookie: the longest time that it may. The session may end before."""
API = "/api/v1/"

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110, section 9.2.1)."""


class SessionCookie:
    """Reads the cookie. `origins` gives the pages that may connect, once the hub has started."""

    def __init__(self, accounts: AccountsFeature, origins: Callable[[], Origins]) -> None:
        self._accounts = accounts
        self._origins = origins

    async def authenticate(self, connection: HTTPConnection) -> Authenticated | None:
        """Who has logged in with the browser that sends this; None if it sends no cookie of ours.

        Raises `Unauthenticated` if the session has ended, `Forbidden` if another site's page may have sent it.
        """
        token = connection.cookies.get(COOKIE)
        if token is None:
            return None
        self.require_own_page(connection)
        found = await self._accounts.log_ins.whose(token)
        if found is None:
            raise Unauthenticated("this log-in has ended; log in again")
        return Authenticated(found.user, session=found.session)

    def require_own_page(self, connection: HTTPConnection) -> None:
        """Raises `Forbidden` if this may change something, and another site's page may have sent it."""
        is_socket = connection.scope["type"] == "websocket"
        if not is_socket and connection.scope["method"] in _SAFE:
            return
        if connection.headers.get("origin") is None:
            raise Forbidden("a log-in by cookie needs the header `Origin` here, which every browser sends")
        self._origins().check(connection)
        if not is_socket and connection.headers.get(CSRF_HEADER) != "1":
            raise Forbidden("a request that changes something by cookie needs the header `Hubbub-CSRF: 1`")


def set_cookie(response: Response, request: HTTPConnection, token: str) -> None:
    response.set_cookie(
        COOKIE,
        token,
        max_age=KEPT,
        path=hub_path(request),
        secure=request.scope["scheme"] in {"https", "wss"},
        httponly=True,
        samesite="lax",
    )


def remove_cookie(response: Response, request: HTTPConnection) -> None:
    secure = request.scope["scheme"] in {"https", "wss"}
    response.delete_cookie(COOKIE, path=hub_path(request), secure=secure, httponly=True, samesite="lax")


def hub_path(request: HTTPConnection) -> str:
    """Where the hub is in its application."""
    return str(request.scope["path"]).rpartition(API)[0] or "/"
