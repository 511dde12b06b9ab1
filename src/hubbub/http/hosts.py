"""Which names of hosts a request may use.

A foreign page can let its own name resolve to this machine after it was loaded (DNS rebinding). For the browser, this
server is then the page's own server, and any check of the origin passes. Such a page cannot change its name. So a name
must be known: known names are addresses, this machine's own names, and the names in the setting `allowed_hosts`.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from hubbub.errors import Forbidden
from hubbub.http.admission import hide_credentials, is_test_client
from hubbub.http.error_responses import error_response
from hubbub.http.refusal_log import SeldomWarning, where
from hubbub.http.socket_endpoint import refuse
from hubbub.origins import host_name, is_address

REMEMBERED = 256


class HostNames:
    """The names that are allowed: `chat.example.com`, or `.example.com` for it and all names below; `*` is any name."""

    def __init__(self, allowed: Iterable[str]) -> None:
        self._exact: set[str] = set()
        self._suffixes: tuple[str, ...] = (".localhost",)
        self._any = False
        for name in allowed:
            if name == "*":
                self._any = True
            elif name.startswith("."):
                self._exact.add(name[1:])
                self._suffixes += (name,)
            else:
                self._exact.add(name)
        self._asked_before: set[bytes] = set()
        """The `Host` headers that were allowed, remembered: clients use few different ones."""
        own = socket.gethostname().lower()
        first = own.partition(".")[0]
        self._exact |= {"localhost", own, first, f"{first}.local"}
        # A name server may take seconds to say that it knows nothing, so no request waits for it.
        threading.Thread(target=self._add_full_name, args=(own,), daemon=True).start()

    def _add_full_name(self, own: str) -> None:
        try:
            full = socket.getaddrinfo(own, None, flags=socket.AI_CANONNAME)[0][3].lower()
        except OSError:
            return
        if full.startswith(f"{own}."):
            self._exact.add(full)

    def allow(self, host: bytes) -> bool:
        """Whether the server goes by the name in this `Host` header."""
        if host in self._asked_before:
            return True
        allowed = self._allows(host.decode("latin-1"))
        if allowed and len(self._asked_before) < REMEMBERED:
            self._asked_before.add(host)
        return allowed

    def _allows(self, host: str) -> bool:
        name = host_name(host)
        if name is None:
            return self._any
        if self._any or is_address(name):
            return True
        name = name.removesuffix(".")
        return name in self._exact or name.endswith(self._suffixes)


class AllowedHosts:
    """Middleware that refuses HTTP requests and WebSockets for a host of another name.

    A request without `Host` does not come from a browser. The HTTP parser decides whether it is allowed.
    """

    def __init__(self, app: ASGIApp, *, names: HostNames) -> None:
        self._app = app
        self._names = names
        self._warning = SeldomWarning()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            for field, value in scope["headers"]:
                if field == b"host" and not self._names.allow(value) and not is_test_client(scope):
                    await self._refuse(value.decode("latin-1"), scope, receive, send)
                    return
        await self._app(scope, receive, send)

    async def _refuse(self, host: str, scope: Scope, receive: Receive, send: Send) -> None:
        name = (host_name(host) or host)[:200]
        self._warning.log(
            "refused a request for the host %s (from %s); if that is this server, name it in the setting allowed_hosts",
            ascii(name),
            where(HTTPConnection(scope)),
        )
        error = Forbidden(
            f"this server does not go by the name {name!r}; if it should, its operator adds that to the setting "
            "`allowed_hosts`"
        )
        if scope["type"] == "websocket":
            await refuse(WebSocket(scope, receive, send), error)
            return
        hide_credentials(HTTPConnection(scope))
        await error_response(error)(scope, receive, send)
