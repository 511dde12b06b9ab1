"""The events: frames from server to client. Absent fields are left out, never sent as null.

No event differs by recipient: one encoding serves everybody in a channel.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from hubbub.errors import RequestError
from hubbub.wire.codes import ErrorCode

USERS_IN_JOINED = 100
USERS_OF_MANY = 20
"""Where more are online, nobody announces who comes and goes, so a longer list would only be wrong the sooner."""

Level = Literal["info", "success", "warning", "error"]
"""How much a notification matters."""


class Event(BaseModel):
    """A frame from server to client."""

    model_config = ConfigDict(extra="forbid")

    type: str

    @classmethod
    def type_name(cls) -> str:
        """The one value of the `type` field. Raises TypeError where the model names none or several."""
        names = get_args(cls.model_fields["type"].annotation)
        if len(names) != 1 or not isinstance(names[0], str):
            raise TypeError(f'{cls.__name__} needs exactly one type: `type: Literal["…"] = "…"`')
        return names[0]


class Reply(Event):
    """An event that answers a command, and carries its `id` if it had one."""

    id: str | None = None


class Limits(BaseModel):
    """What this server allows, so that a client can stay within it."""

    frame: int = Field(description="Bytes in one frame from the client.")
    text: int = Field(description="Code points in one text.")
    unanswered: int = Field(description="Commands without an answer, per connection.")
    rate: float = Field(description="Commands per second, per connection, in the long run.")
    burst: int = Field(description="Commands at once.")


class RoomState(BaseModel):
    """One of my rooms, in `welcome`."""

    room: str
    name: str


class OnlineUser(BaseModel):
    user: str
    name: str
    guest: bool | None = None


class Welcome(Event):
    """The first event of every connection: who you are here, and what the server expects."""

    type: Literal["welcome"] = "welcome"
    user: str
    name: str
    guest: bool | None = None
    secret: str | None = Field(None, description="For guests: proves on a later connection that it is the same guest.")
    connection: str
    node: str
    epoch: str
    ts: str
    heartbeat: int = Field(description="Milliseconds between the server's pings.")
    limits: Limits
    rev: int | None = None
    rooms: list[RoomState] = Field(default_factory=list)
    room: str | None = Field(None, description="On /ws/chat/{room}: the room that is being joined.")
    online: int | None = None


class Quote(BaseModel):
    """The message that another one replies to, as it was when this was read."""

    user: str
    name: str
    text: str = Field(description="Its beginning.")
    deleted: bool | None = None


class Reaction(BaseModel):
    emoji: str
    count: int
    users: list[str] = Field(description="Some of those who reacted, the first ones first.")


class MessageEvent(Event):
    """Somebody said something. In rooms that store nothing there is no `seq` and no `rev`.

    A deleted message stays as a row that says so, with an empty text.
    """

    type: Literal["message"] = "message"
    room: str
    seq: int | None = None
    rev: int | None = None
    user: str
    name: str
    kind: Literal["text", "system"] = "text"
    text: str
    ts: str
    key: str | None = None
    reply_to: int | None = Field(None, description="The `seq` of the message that this one answers.")
    quote: Quote | None = None
    data: dict[str, Any] | None = None
    edited: str | None = Field(None, description="When it was last edited.")
    deleted: str | None = Field(None, description="When it was deleted.")
    pinned: bool | None = None
    reactions: list[Reaction] | None = None


class ChangedEvent(Event):
    """A message is no longer what it was: what is there replaces what was."""

    type: Literal["changed"] = "changed"
    room: str
    seq: int
    rev: int
    user: str = Field(description="Who changed it.")
    text: str | None = None
    edited: str | None = None
    deleted: str | None = Field(None, description="Text, data, reactions, reply and pin are gone.")
    pinned: bool | None = None
    reactions: list[Reaction] | None = None


class RoomEvent(Event):
    """Something of the room itself changed."""

    type: Literal["room"] = "room"
    room: str
    rev: int
    floor: int | None = Field(None, description="Messages up to this `seq` are gone.")


class Sync(Event):
    """All rows that changed in (since, rev], whole: put each in by its `seq`, where its `rev` is the higher one."""

    type: Literal["sync"] = "sync"
    room: str
    since: int
    rev: int
    floor: int
    users: list[OnlineUser] = Field(description="Who wrote these messages.")
    messages: list[MessageEvent]


class HistoryPage(Reply):
    """The answer to `history`: messages in the order of their `seq`."""

    type: Literal["history"] = "history"
    room: str
    rev: int
    users: list[OnlineUser] = Field(description="Who wrote these messages.")
    messages: list[MessageEvent]
    more: bool = Field(description="Whether there are more in the direction that was asked for.")


class Joined(Reply):
    """The answer to `join`: a room as it is now. `recovered: false` means: forget what you knew, and begin here."""

    type: Literal["joined"] = "joined"
    room: str
    name: str
    online: int
    users: list[OnlineUser] = Field(
        description=f"All who are online, up to {USERS_IN_JOINED}; of more, the {USERS_OF_MANY} who came first."
    )
    epoch: str
    seq: int | None = None
    rev: int | None = None
    since: int | None = None
    floor: int | None = None
    messages: list[MessageEvent] = Field(default_factory=list)
    recovered: bool


class JoinEvent(Event):
    """A user's first connection to this room."""

    type: Literal["join"] = "join"
    room: str
    user: str
    name: str
    guest: bool | None = None
    online: int


class LeaveEvent(Event):
    """A user's last connection to this room is gone."""

    type: Literal["leave"] = "leave"
    room: str
    user: str
    name: str
    online: int


class Online(Event):
    """Instead of `join` and `leave` where many are online: how many, at most once a second."""

    type: Literal["online"] = "online"
    room: str
    online: int


class TypingEvent(Event):
    """Somebody types, or no longer does. Forget it after 6 s."""

    type: Literal["typing"] = "typing"
    room: str
    user: str
    name: str
    active: bool


class Following(Reply):
    """The answer to `follow`."""

    type: Literal["following"] = "following"
    topic: str


class NotificationEvent(Event):
    """A program has published something to a topic that this connection follows."""

    type: Literal["notification"] = "notification"
    topic: str
    title: str
    message: str = ""
    level: Level = "info"
    data: dict[str, Any] | None = None
    ts: str


class Ack(Reply):
    """The command is done. In a room that stores messages: and durable."""

    type: Literal["ack"] = "ack"
    room: str | None = None
    seq: int | None = None
    rev: int | None = None
    ts: str | None = None


class PongEvent(Reply):
    """The answer to `ping`."""

    type: Literal["pong"] = "pong"
    ts: str


class PingEvent(Event):
    """Lets a browser, which cannot see RFC 6455 pings, notice a dead server. Needs no answer."""

    type: Literal["ping"] = "ping"
    ts: str


class Draining(Event):
    """The server is about to close this connection: come back in `reconnect_in`, which differs for each client."""

    type: Literal["draining"] = "draining"
    reconnect_in: int = Field(description="Milliseconds.")


class ErrorEvent(Reply):
    """What a client did cannot be done. The connection lives."""

    type: Literal["error"] = "error"
    command: str | None = Field(None, description="The `type` of the command that failed.")
    room: str | None = None
    code: ErrorCode | str
    message: str
    retry_after: int | None = Field(None, description="Milliseconds until a repeat may succeed.")
    errors: list[dict[str, Any]] | None = Field(None, description="For `invalid`: `loc`, `msg`, `type` of each field.")

    @classmethod
    def of(cls, error: RequestError, *, id: str | None, command: str | None, room: str | None) -> ErrorEvent:
        """An error as its client is told of it. `room` is the command's, where the error names none."""
        return cls(
            id=id,
            command=command,
            room=error.room or room,
            code=error.code,
            message=error.message,
            retry_after=error.retry_after,
            errors=list(error.errors) if error.errors else None,
        )


BUILT_IN: tuple[type[Event], ...] = (
    Welcome,
    Joined,
    MessageEvent,
    ChangedEvent,
    RoomEvent,
    Sync,
    HistoryPage,
    JoinEvent,
    LeaveEvent,
    Online,
    TypingEvent,
    Following,
    NotificationEvent,
    Ack,
    PongEvent,
    PingEvent,
    Draining,
    ErrorEvent,
)


class EventTable:
    """The events that a server may send, by their `type`; applications add theirs, for the schema and the docs."""

    def __init__(self, models: tuple[type[Event], ...] = BUILT_IN) -> None:
        self._models: dict[str, type[Event]] = {}
        for model in models:
            self.register(model)

    def register(self, model: type[Event]) -> None:
        """Add an event. Raises ValueError if its `type` is taken, TypeError if it names no type."""
        name = model.type_name()
        if name in self._models:
            raise ValueError(f"an event of type {name!r} is registered already: {self._models[name].__name__}")
        self._models[name] = model

    def __iter__(self) -> Iterator[type[Event]]:
        return iter(self._models.values())

    def __contains__(self, type_name: object) -> bool:
        return type_name in self._models


def timestamp(seconds: float) -> str:
    """Seconds since 1970 as RFC 3339 in UTC with milliseconds: `2026-11-20T09:30:00.123Z`."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
