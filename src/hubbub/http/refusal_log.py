"""The log of refused requests: enough for the operator, and not so much that it fills the log.

If a client can cause a line at will, it is a warning only now and then, and always a line at debug level.
"""

from __future__ import annotations

import logging
import time

from starlette.requests import HTTPConnection

from hubbub.limits import TokenBucket

log = logging.getLogger("hubbub.admission")

WARNINGS_AT_ONCE = 5
WARNINGS_PER_SECOND = 1 / 30


class SeldomWarning:
    """A warning that clients can cause: a few at once, then one in half a minute, which says how many were left out."""

    def __init__(self) -> None:
        self._bucket = TokenBucket()
        self._left_out = 0

    def log(self, message: str, *arguments: object) -> None:
        if self._bucket.take(time.monotonic(), rate=WARNINGS_PER_SECOND, burst=WARNINGS_AT_ONCE):
            self._left_out += 1
            log.debug(message, *arguments)
            return
        if self._left_out:
            message += f" (and {self._left_out} others that were not logged)"
            self._left_out = 0
        log.warning(message, *arguments)


def where(connection: HTTPConnection) -> str:
    """The address that a request comes from, and its path; without the query, which may hold credentials."""
    client = connection.scope.get("client")
    target = connection.headers.get("host", "")[:200] + connection.scope["path"][:200]
    return f"{client[0] if client else 'nowhere'} to {target!a}"
