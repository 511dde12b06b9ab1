"""Which pages may talk to this server from a browser.

A foreign page can make its visitor's browser send requests and open sockets, with the visitor's cookies, to any server
that the visitor can reach, also to `localhost`. So an `Origin` must be the server's own or an allowed one.
"""

from __future__ import annotations

from collections.abc import Iterable

from starlette.requests import HTTPConnection

from hubbub.errors import Forbidden
from hubbub.http.refusal_log import SeldomWarning, where
from hubbub.origins import parse_origin


class Origins:
    """The pages that may talk to the server: its own, and those of the setting `allowed_origins`."""

    def __init__(self, allowed: Iterable[str]) -> None:
        self._allowed = {parse_origin(origin) for origin in allowed}
        self._warning = SeldomWarning()

    def check(self, connection: HTTPConnection) -> bool:
        """Raises `Forbidden` if a foreign page makes this request. Returns whether an allowed page has another origin
        than the server: then its browser shows it the answer only if a header says so."""
        origin = connection.headers.get("origin")
        if origin is None:
            if connection.headers.get("sec-fetch-site") == "cross-site":
                self._warning.log("refused a request of another site's page (from %s)", where(connection))
                raise Forbidden("another site's page may not do this here; the server's operator can allow its origin")
            return False
        page = parse_origin(origin)
        if page is not None:
            if page in self._allowed:
                return True
            own = parse_origin(f"{connection.scope['scheme']}://{connection.headers.get('host', '')}")
            if own is not None and page.is_of(own):
                # Another name of the loopback is another origin for the browser. Another scheme may be one too, but
                # anybody who can change plain HTTP on its way could have made such a page.
                return own.host == "localhost"
        self._warning.log(
            "refused a page of the origin %s (from %s); if it may connect, name it in the setting allowed_origins",
            ascii(origin[:200]),
            where(connection),
        )
        raise Forbidden(
            f"this page's origin may not connect here: {origin[:200]!r} is not the server's own, nor does its setting "
            "`allowed_origins` name it"
        )
