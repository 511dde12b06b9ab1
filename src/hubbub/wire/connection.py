"""The connection itself: the welcome, pings, and the notice that it will be closed."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from hubbub.wire.base import Command, Event, Reply
from hubbub.wire.identity import Role


class Limits(BaseModel):
    """What this server allows, so that a client can stay within it."""

    frame: int = Field(description="Bytes in one frame from the client.")
    text: int = Field(description="Code points in one text.")
    unanswered: int = Field(description="Commands without an answer, per connection.")
    rate: float = Field(description="Commands per second, per connection, in the long run.")
    burst: int = Field(description="Commands at once.")


class Welcome(Event):
    """The first event of every connection: who you are here, and what the server expects."""

    type: Literal["welcome"] = "welcome"
    user: str
    name: str
    guest: bool | None = None
    secret: str | None = Field(None, description="For guests: proves on a later connection that it is the same guest.")
    role: Role | None = Field(None, description="Not for guests.")
    color: str | None = Field(None, description="The colour that you have chosen, as `#rrggbb`.")
    expires: str | None = Field(None, description="When the identity ends, unless `auth` renews it: then 4401.")
    connection: str
    node: str
    epoch: str
    ts: str
    heartbeat: int = Field(description="Milliseconds between the server's pings.")
    limits: Limits
    room: str | None = Field(None, description="On /ws/chat/{room}: the room that is being joined.")
    online: int | None = None


class Ping(Command):
    """Is the server there? Answered by `pong`."""

    type: Literal["ping"] = "ping"


class Auth(Command):
    """Go on with a newer token of the same user, before the one expires by which the user is here."""

    type: Literal["auth"] = "auth"
    token: str = Field(min_length=1, max_length=8192, repr=False)


class PongEvent(Reply):
    """The answer to `ping`."""

    type: Literal["pong"] = "pong"
    ts: str


class PingEvent(Event):
    """Lets a browser, which cannot see RFC 6455 pings, notice a dead server. Needs no answer."""

    type: Literal["ping"] = "ping"
    ts: str


class Pong(Command):
    """An answer to the server's `ping`; allowed, never needed."""

    type: Literal["pong"] = "pong"


class Draining(Event):
    """The server is about to close this connection: come back in `reconnect_in`, which differs for each client."""

    type: Literal["draining"] = "draining"
    reconnect_in: int = Field(description="Milliseconds.")
