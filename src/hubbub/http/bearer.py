"""Where a client can put its credentials: in a header or, since a page cannot set headers of a WebSocket, among the
subprotocols."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from starlette.requests import HTTPConnection

BEARER_SUBPROTOCOL = "bearer."
GUEST_SUBPROTOCOL = "secret."
GUEST_HEADER = "hubbub-secret"
"""For the GET that asks why a handshake is refused: a page cannot send subprotocols with it."""


def bearer_token(connection: HTTPConnection) -> str | None:
    """The token of a request or handshake, for an application's own `authenticate`; None if there is none.

    It comes from `Authorization: Bearer <token>` (RFC 6750, section 2.1), or otherwise from the subprotocol
    `bearer.<token>`, which a page offers beside the one that it speaks: `new WebSocket(url, ["hubbub.v1.json",
    "bearer." + token])`.
    """
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    for name in connection.scope.get("subprotocols", ()):
        if name.startswith(BEARER_SUBPROTOCOL):
            return str(name.removeprefix(BEARER_SUBPROTOCOL))
    return None


def guest_secret(connection: HTTPConnection, query: Mapping[str, str]) -> str | None:
    """A guest's secret: from the subprotocol `secret.<base64url>`, the header `Hubbub-Secret`, or `?secret=`.

    Proxies log addresses, so our own clients use the first two. `query` has the parameters before credentials were
    hidden.
    """
    for name in connection.scope.get("subprotocols", ()):
        if name.startswith(GUEST_SUBPROTOCOL):
            return _decoded(name.removeprefix(GUEST_SUBPROTOCOL))
    if connection.scope["type"] == "http" and (encoded := connection.headers.get(GUEST_HEADER)):
        return _decoded(encoded)
    return query.get("secret")


def _decoded(encoded: str) -> str:
    """Decodes base64url without padding (RFC 4648, section 5). Anything else stays as it is; it cannot be one of our
    secrets."""
    try:
        padded = encoded + "=" * (-len(encoded) % 4)
        return base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True).decode()
    except ValueError:
        return encoded
