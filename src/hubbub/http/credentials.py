"""Which credential a request or handshake shows, and whose it is.

They are looked for in one order, and the first one that is shown decides. One that is wrong is refused: it is never
ignored in favour of another one, or of a guest.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import HTTPConnection

from hubbub.accounts.api_keys import PREFIX as API_KEY
from hubbub.accounts.identity import Authenticated
from hubbub.errors import Unauthenticated
from hubbub.features.access.feature import AccessFeature
from hubbub.features.api_keys.feature import ApiKeysFeature
from hubbub.http.admission import hide_credentials, is_at_home
from hubbub.http.bearer import bearer_token
from hubbub.node import NodeSource

Reader = Callable[[HTTPConnection], Awaitable[Authenticated | None]]
"""Returns whose credential a request shows, None if it shows none of this kind. Raises a `RequestError` for a wrong
one."""

_SHOWING = frozenset({b"authorization", b"cookie", b"sec-websocket-protocol"})


class Credentials:
    """The login of a hub whose application has none of its own."""

    def __init__(self, node: NodeSource) -> None:
        self._node = node
        self.cookie: Reader | None = None
        """Reads the cookie of a log-in; None if there are no accounts."""

    async def read(self, connection: HTTPConnection) -> Authenticated | None:
        """Whose credential this request or handshake shows; None if it shows none.

        Raises `Unauthenticated` for a wrong one, and `Unavailable` if that cannot be known now.
        """
        # Most guests show nothing, and two thousand of them may come at once.
        if not _may_show_one(connection):
            return None
        if (token := bearer_token(connection)) is not None:
            return await self.of_token(token)
        if self.cookie is not None and (who := await self.cookie(connection)) is not None:
            return who
        return await self._in_address(connection)

    async def _in_address(self, connection: HTTPConnection) -> Authenticated | None:
        query = hide_credentials(connection)
        if (ticket := query.get("ticket")) is not None:
            if connection.scope["type"] != "websocket":
                raise Unauthenticated("a ticket opens a WebSocket, and nothing else")
            return await self._node().feature(AccessFeature).tickets.take(ticket)
        if (token := query.get("token")) is not None:
            allowed = self._node().settings.token_in_address
            if allowed == "off" or (allowed == "auto" and not is_at_home(connection)):
                raise Unauthenticated(
                    "no token is taken from an address, since proxies log addresses (the setting `token_in_address`): "
                    "show it in a header, or ask for a ticket"
                )
            return await self.of_token(token)
        return None

    async def of_token(self, token: str) -> Authenticated:
        """Whose token or API key this is. Raises as `read` does."""
        node = self._node()
        if token.startswith(API_KEY):
            key = await node.feature(ApiKeysFeature).keys.find(token)
            if key is None:
                raise Unauthenticated("this is no API key of this server, or it was revoked")
            return key.authenticated()
        return await node.feature(AccessFeature).tokens.verify(token)


def _may_show_one(connection: HTTPConnection) -> bool:
    scope = connection.scope
    query = scope["query_string"]
    return any(name in _SHOWING for name, _ in scope["headers"]) or b"ticket=" in query or b"token=" in query
