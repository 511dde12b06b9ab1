"""Where a client can put its token: in a header, or among the subprotocols, since a browser sets no header there."""

from __future__ import annotations

from starlette.requests import HTTPConnection

BEARER_SUBPROTOCOL = "bearer."


def bearer_token(connection: HTTPConnection) -> str | None:
    """The token of a request or handshake, for an application's own `authenticate`; None if it brought none.

    It is that of `Authorization: Bearer <token>` (RFC 6750, section 2.1), else of the subprotocol `bearer.<token>`,
    which a page offers beside the one that it speaks: `new WebSocket(url, ["hubbub.v1.json", "bearer." + token])`.
    """
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    for name in connection.scope.get("subprotocols", ()):
        if name.startswith(BEARER_SUBPROTOCOL):
            return str(name.removeprefix(BEARER_SUBPROTOCOL))
    return None
