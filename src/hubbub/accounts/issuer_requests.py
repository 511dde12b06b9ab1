"""One request to somebody else's issuer, with a deadline and a size: it may be slow, or send without end.

It is made in a thread. Redirections are not followed: what is asked is what the operator has named.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from hubbub.origins import is_loopback


def is_protected(address: str) -> bool:
    """Whether nobody on the way can change what this address answers: `https://`, or `http://` on this machine."""
    try:
        parts = urlsplit(address)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return has_host and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname)))


def ask(
    address: str,
    *,
    deadline: float,
    most: int,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> tuple[int, bytes]:
    """The status and the content, of which at most `most` + 1 bytes are read. With a `body` it is a POST.

    Raises OSError, also if it takes more than `deadline` seconds in all, and ValueError if this is no HTTP.
    """
    parts = urlsplit(address)
    host = parts.hostname or ""
    if parts.scheme == "https":
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, parts.port, timeout=deadline, context=ssl.create_default_context()
        )
    else:
        connection = http.client.HTTPConnection(host, parts.port, timeout=deadline)
    # `timeout` is for each read: an issuer that sends a byte each second would never end.
    opened: list[socket.socket | None] = []
    late = threading.Timer(deadline, lambda: hang_up(opened or [connection.sock]))
    late.daemon = True
    late.start()
    try:
        connection.connect()
        # `getresponse` takes it away from the connection.
        opened.append(connection.sock)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        shown = {"Accept": "application/json", **(headers or {})}
        connection.request("GET" if body is None else "POST", path, body=body, headers=shown)
        answer = connection.getresponse()
        return answer.status, answer.read(most + 1)
    except http.client.HTTPException as error:
        raise ValueError(f"it does not speak HTTP: {type(error).__name__}") from None
    finally:
        late.cancel()
        connection.close()


def hang_up(sockets: Sequence[socket.socket | None]) -> None:
    """End these connections, so that threads that read from them go on."""
    for opened in sockets:
        if opened is not None:
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
