"""The opening handshake of RFC 6455, section 4.2, without I/O: what client and server agree on, as bytes.

`websockets` negotiates extensions, and explains what is wrong with an unusual handshake. One `ServerProtocol` serves
all handshakes: this module uses nothing that it keeps between two of them, and making one costs more than the handshake
itself.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from email.utils import formatdate
from functools import cache
from http import HTTPStatus
from typing import NamedTuple

from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake
from websockets.extensions import Extension
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol
from websockets.utils import accept_key

HeaderList = list[tuple[bytes, bytes]]

_KEY = re.compile(rb"[A-Za-z0-9+/]{21}[AQgw]==")
"""16 bytes in base64."""


class Head(NamedTuple):
    """A request's head, as an HTTP parser gives it: header names in lower case."""

    method: str
    target: bytes
    version: str
    headers: HeaderList

    def values(self, name: bytes) -> Iterable[str]:
        """The comma-separated values of a header, which may have come in several lines."""
        for field, value in self.headers:
            if field == name:
                for item in value.decode("latin-1").split(","):
                    yield item.strip()


class Agreement(NamedTuple):
    accept: str
    """Proves to the client that the server has read its key."""
    extensions_header: str | None
    extensions: list[Extension]

    def response(self, *, subprotocol: str | None, headers: HeaderList) -> bytes:
        """The 101, with the headers of the server and of the application. Raises `InvalidHeaderValue`."""
        lines = [
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
            f"Sec-WebSocket-Accept: {self.accept}\r\n",
        ]
        if self.extensions_header is not None:
            lines.append(f"Sec-WebSocket-Extensions: {self.extensions_header}\r\n")
        # The values come from others. They are checked, so that none of them contains another line.
        checked = Headers([(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers])
        if subprotocol is not None:
            checked["Sec-WebSocket-Protocol"] = subprotocol
        return "".join(lines).encode("ascii") + checked.serialize()


class HandshakeRefused(Exception):
    """The server cannot accept this handshake; `response` tells the client why."""

    def __init__(self, response: bytes) -> None:
        self.response = response


def parse_head(data: bytes) -> Head:
    """Parse a whole head, as uvicorn's HTTP classes write it. Raises `HandshakeRefused`."""
    parser = ServerProtocol()
    parser.receive_data(data)
    for event in parser.events_received():
        if isinstance(event, Request):
            headers = [
                (name.lower().encode("ascii"), value.encode("latin-1")) for name, value in event.headers.raw_items()
            ]
            return Head(event.method, event.path.encode("ascii"), event.protocol.removeprefix("HTTP/"), headers)
    raise HandshakeRefused(b"".join(parser.data_to_send()))


def agree(head: Head, *, compress: bool) -> Agreement:
    """Check a handshake, and negotiate its extensions. Raises `HandshakeRefused`."""
    negotiator = _negotiator(compress)
    fields = dict(head.headers)
    if not _is_plainly_right(head, fields):
        return _agree_slowly(negotiator, head)
    accept = accept_key(fields[b"sec-websocket-key"].decode("ascii"))
    offered = fields.get(b"sec-websocket-extensions")
    if offered is None or not compress:
        return Agreement(accept, None, [])
    try:
        headers = Headers({"Sec-WebSocket-Extensions": offered.decode("latin-1")})
        return Agreement(accept, *negotiator.process_extensions(headers))
    except InvalidHandshake:
        return _agree_slowly(negotiator, head)


def _is_plainly_right(head: Head, fields: dict[bytes, bytes]) -> bool:
    """Whether this is plainly a handshake of RFC 6455, section 4.2.1, in which no header comes twice. Nearly all
    clients send such ones."""
    return (
        head.method == "GET"
        and head.version == "1.1"
        and head.target.isascii()
        and len(fields) == len(head.headers)
        and fields.get(b"upgrade", b"").lower() == b"websocket"
        and b"upgrade" in (token.strip() for token in fields.get(b"connection", b"").lower().split(b","))
        and fields.get(b"sec-websocket-version") == b"13"
        and _KEY.fullmatch(fields.get(b"sec-websocket-key", b"")) is not None
    )


def _agree_slowly(negotiator: ServerProtocol, head: Head) -> Agreement:
    try:
        headers = Headers([(name.decode("ascii"), value.decode("latin-1")) for name, value in head.headers])
        request = Request(head.target.decode("ascii"), headers, head.method, f"HTTP/{head.version}")
    except UnicodeDecodeError:
        response = refusal(HTTPStatus.BAD_REQUEST, "The head has characters other than ASCII.\n")
        raise HandshakeRefused(response) from None
    try:
        accept, extensions_header, _ = negotiator.process_request(request)
    except InvalidHandshake:
        raise HandshakeRefused(negotiator.accept(request).serialize()) from None
    return Agreement(accept, extensions_header, negotiator.extensions)


def refusal(status: int, text: str) -> bytes:
    """A plain answer instead of the 101."""
    return _negotiator(compress=False).reject(status, text).serialize()


def denial(status: int, headers: HeaderList, body: bytes) -> bytes:
    """An application's own answer instead of the 101."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    lines = Headers([(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers])
    lines.setdefault("Date", formatdate(usegmt=True))
    lines.setdefault("Connection", "close")
    lines.setdefault("Content-Length", str(len(body)))
    lines.setdefault("Content-Type", "text/plain; charset=utf-8")
    return Response(status, phrase, lines, body).serialize()


@cache
def _negotiator(compress: bool) -> ServerProtocol:
    # A compression context would cost 32 KB per connection. Without one, a compressed frame can also be shared.
    deflate = ServerPerMessageDeflateFactory(server_no_context_takeover=True, client_no_context_takeover=True)
    return ServerProtocol(extensions=[deflate] if compress else [], logger=logging.getLogger("uvicorn.error"))
