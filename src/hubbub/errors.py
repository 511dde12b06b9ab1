"""Everything that Hubbub raises on purpose, in one hierarchy.

    HubbubError
    ├── RequestError            the peer erred or must wait: becomes an `error` event or an HTTP status
    │   ├── Invalid             a field is missing, of the wrong type or out of range
    │   ├── UnknownType         no command has that `type`
    │   ├── Unauthenticated     no identity, or one that is not valid (any more)
    │   ├── Forbidden           the policy says no
    │   ├── NotFound            no such room, message, user or topic
    │   ├── Conflict            the name is taken; the key was used with another content
    │   ├── RateLimited         come back in `retry_after` milliseconds
    │   ├── TooLarge            over a documented size
    │   ├── Unavailable         cannot be done now; may be repeated as it is
    │   └── Internal            our own fault; the details are in the server's log
    ├── NotStarted              a hub was used before its application had started
    ├── InEventLoop             what waits in a thread was called where it would wait for itself
    └── ConfigurationError      the person who starts the server must change something

The classes know the wire's error codes and nothing of HTTP: what a code means, with its status, is one table in
`wire/codes.py`. An application may make a class of its own below one of these, also with a `code` of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar


class HubbubError(Exception):
    """The root of the hierarchy."""


class RequestError(HubbubError):
    """What a client asked for cannot be done. `message` is for the person who reads the client's log."""

    code: ClassVar[str] = "internal"

    def __init__(
        self,
        message: str,
        *,
        retry_after: int | None = None,
        room: str | None = None,
        errors: Sequence[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after = retry_after
        """Milliseconds until a repeat may succeed."""
        self.room = room
        self.errors = errors
        """One entry per wrong field: `loc`, `msg`, `type`, as Pydantic gives them."""


class Invalid(RequestError):
    code = "invalid"


class UnknownType(RequestError):
    code = "unknown_type"


class Unauthenticated(RequestError):
    code = "unauthenticated"


class Forbidden(RequestError):
    code = "forbidden"


class NotFound(RequestError):
    code = "not_found"


class Conflict(RequestError):
    code = "conflict"


class RateLimited(RequestError):
    code = "rate_limited"


class TooLarge(RequestError):
    code = "too_large"


class Unavailable(RequestError):
    code = "unavailable"


class Internal(RequestError):
    code = "internal"


class NotStarted(HubbubError):
    """A hub was used before its application's lifespan had begun, or in another event loop than the application's."""

    def __init__(self) -> None:
        super().__init__(
            "Hubbub isn't started: its router's lifespan has not run in this event loop. "
            "Include hub.router in the app that the server runs; in tests, use `with TestClient(app) as client:`; "
            "and in a route that is a plain `def`, which runs in a thread, use what ends in `_sync`: `send_sync`."
        )


class InEventLoop(HubbubError):
    """A function that waits in a thread was called in the event loop, which would then wait for itself."""

    def __init__(self) -> None:
        super().__init__(
            "what ends in `_sync` is for threads, such as those of plain `def` routes. Here, in the event loop, it "
            "would wait for itself: use `await` and the same name without `_sync`."
        )


class ConfigurationError(HubbubError):
    """The person who starts the server must change something; the message says what."""
