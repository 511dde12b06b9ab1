"""What a credential has proved: who somebody is, until when, by which session, and for what."""

from __future__ import annotations

from dataclasses import dataclass

from hubbub.wire.identity import User


@dataclass(frozen=True, slots=True)
class Authenticated:
    """An identity with what limits it. An application's `authenticate` may return one, too."""

    user: User
    expires: float | None = None
    """Seconds since 1970. At that time the connection is closed with 4401, unless the client has renewed it before."""
    session: str | None = None
    """The id of the log-in. When it is revoked, its connections are closed with 4401."""
    scopes: tuple[str, ...] | None = None
    """What the credential allows; None: all that the user may do."""
