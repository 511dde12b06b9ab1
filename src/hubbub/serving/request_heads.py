"""The rules for the head of an HTTP/1.1 request that its parser does not check. Pure: no I/O, no clock."""

from __future__ import annotations

import re
from http import HTTPStatus

from hubbub.serving.handshake import HeaderList

HEAD_BYTES = 64 * 1024
HEADERS = 256
"""Lines of a head. Each costs a call and three objects."""

_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~%!$&'()*+;=-]*)(?::[0-9]*)?")
"""A host (RFC 3986, section 3.2.2) and a port. It has no comma, which would join two headers."""


class HeadRefused(Exception):
    """The request is answered with `status`, and nothing after its head is read."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


def too_large() -> HeadRefused:
    return HeadRefused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The request's head is too large.")


def body_length(version: str, headers: HeaderList, *, is_upgrade: bool) -> int | None:
    """Check a head, whose names are in lower case. Returns the body's length, None if it comes in chunks.

    Raises `HeadRefused`. The parser has already refused a head in which `Content-Length` and `Transfer-Encoding`
    conflict.
    """
    if version not in {"1.0", "1.1"}:
        raise HeadRefused(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "This server speaks HTTP/1.1.")
    if len(headers) > HEADERS:
        raise too_large()
    hosts: list[bytes] = []
    length: int | None = 0
    for name, value in headers:
        if name == b"host":
            hosts.append(value)
        elif name == b"content-length":
            length = int(value)
        elif name == b"transfer-encoding":
            _check_encoding(version, value)
            length = None
    # RFC 9112, section 3.2.
    if len(hosts) != 1 and (hosts or version == "1.1"):
        raise HeadRefused(HTTPStatus.BAD_REQUEST, "A request has one Host header.")
    if hosts and not _HOST.fullmatch(hosts[0].strip()):
        raise HeadRefused(HTTPStatus.BAD_REQUEST, "The Host header is no host.")
    if is_upgrade and length != 0:
        # The parser reads no body of such a request, so the application would think that it is empty.
        raise HeadRefused(HTTPStatus.BAD_REQUEST, "A request that asks for another protocol has no body.")
    return length


def _check_encoding(version: str, value: bytes) -> None:
    """RFC 9112, section 6.1."""
    if version == "1.0":
        raise HeadRefused(HTTPStatus.BAD_REQUEST, "HTTP/1.0 has no Transfer-Encoding.")
    if value.strip().lower() != b"chunked":
        raise HeadRefused(HTTPStatus.NOT_IMPLEMENTED, "The only Transfer-Encoding known here is chunked.")
