"""The commands: frames from client to server, and the table from which their union is built.

The table is open: an application registers its own command models, and they take part in the same discriminated
union, JSON Schema and TypeScript types as the built-in ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property, reduce
from operator import or_
from typing import Annotated, Any, Literal, cast, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from pydantic_core import ErrorDetails

from hubbub.errors import Invalid, UnknownType
from hubbub.wire.codecs import JSON_CODEC, MSGPACK_CODEC, check_plain
from hubbub.wire.emoji import Emoji
from hubbub.wire.keys import CommandId, Epoch, IdempotencyKey, Key, Text, TopicPattern, fold

DATA_BYTES = 4096
ROOMS_PER_JOIN = 100
PAGE = 200
"""Messages in one page of history, at most."""


def _bounded(data: dict[str, Any]) -> dict[str, Any]:
    """Every codec must be able to send on what one of them took: MessagePack has no integer over 64 bits."""
    try:
        check_plain(data)
        MSGPACK_CODEC.encode(data)
        encoded = JSON_CODEC.encode(data)
    except (Invalid, ValueError, TypeError) as error:
        raise ValueError(f"cannot be carried by every codec: {error}") from None
    if len(encoded) > DATA_BYTES:
        raise ValueError(f"at most {DATA_BYTES} bytes as JSON, not {len(encoded)}")
    if b"\\u0000" in encoded and _holds_nul(data):
        raise ValueError("a string must not hold the character U+0000, which databases cannot store")
    return data


def _holds_nul(value: Any) -> bool:
    if isinstance(value, dict):
        return any("\0" in key or _holds_nul(item) for key, item in value.items())
    if isinstance(value, list):
        return any(map(_holds_nul, value))
    return isinstance(value, str) and "\0" in value


def check_data(data: dict[str, Any]) -> None:
    """Raises `Invalid` for an application's object that not every client could be sent."""
    try:
        _bounded(data)
    except ValueError as error:
        raise Invalid(f"data: {error}") from None


Data = Annotated[dict[str, Any], AfterValidator(_bounded)]


Seq = Annotated[int, Field(ge=1, le=2**53 - 1)]


class Command(BaseModel):
    """A frame from client to server. With an `id` it gets exactly one answer that carries the same `id`."""

    model_config = ConfigDict(strict=True, extra="ignore")

    type: str
    id: CommandId | None = None

    @classmethod
    def type_name(cls) -> str:
        """The one value of the `type` field. Raises TypeError where the model names none or several."""
        names = get_args(cls.model_fields["type"].annotation)
        if len(names) != 1 or not isinstance(names[0], str):
            raise TypeError(f'{cls.__name__} needs exactly one type: `type: Literal["…"] = "…"`')
        return names[0]


class SendMessage(Command):
    """Say something in a room. Answered by `ack`."""

    type: Literal["message"] = "message"
    room: Key
    text: Text
    key: IdempotencyKey | None = None
    reply_to: Seq | None = None
    data: Data | None = Field(None, description="The application's own object, at most 4 KB as JSON.")


class Edit(Command):
    """Give one's own message another text. Answered by `ack`."""

    type: Literal["edit"] = "edit"
    room: Key
    seq: Seq
    text: Text


class Delete(Command):
    """Take a message back: its text, its edits and its reactions are gone for good. Answered by `ack`."""

    type: Literal["delete"] = "delete"
    room: Key
    seq: Seq


class React(Command):
    """Put an emoji under a message, or take it away again. Answered by `ack`."""

    type: Literal["react"] = "react"
    room: Key
    seq: Seq
    emoji: Emoji
    on: bool = True


class Pin(Command):
    """Pin a message for everybody in the room, or unpin it. Answered by `ack`."""

    type: Literal["pin"] = "pin"
    room: Key
    seq: Seq
    on: bool = True


class History(Command):
    """A page of messages: before, after or around a `seq`, the pinned ones, or the latest. Answered by `history`."""

    type: Literal["history"] = "history"
    room: Key
    before: Seq | None = None
    after: int | None = Field(None, ge=0, le=2**53 - 1)
    around: Seq | None = None
    pinned: bool = False
    limit: int = Field(50, ge=1, le=PAGE)

    @model_validator(mode="after")
    def _one_direction(self) -> History:
        if sum(place is not None for place in (self.before, self.after, self.around, self.pinned or None)) > 1:
            raise ValueError("give one of `before`, `after`, `around` and `pinned`")
        return self


class RoomPosition(BaseModel):
    """A room, and up to where this client knows it."""

    model_config = ConfigDict(strict=True, extra="ignore")

    room: Key
    rev: int | None = Field(None, ge=0, le=2**53 - 1)
    epoch: Epoch | None = None


class Join(Command):
    """Follow rooms on this connection. Answered by one `joined` for each room."""

    type: Literal["join"] = "join"
    room: Key | None = None
    rooms: list[RoomPosition] | None = Field(None, min_length=1, max_length=ROOMS_PER_JOIN)
    rev: int | None = Field(None, ge=0, le=2**53 - 1)
    epoch: Epoch | None = None
    limit: int | None = Field(None, ge=0, le=200, description="How many of the latest messages to begin with.")

    @model_validator(mode="after")
    def _one_way_to_name_rooms(self) -> Join:
        if (self.room is None) == (self.rooms is None):
            raise ValueError("give either `room` or `rooms`")
        if self.rooms is not None and len({fold(position.room) for position in self.rooms}) < len(self.rooms):
            raise ValueError("name each room once")
        return self

    @property
    def positions(self) -> list[RoomPosition]:
        if self.rooms is not None:
            return self.rooms
        return [RoomPosition(room=cast(str, self.room), rev=self.rev, epoch=self.epoch)]


class Leave(Command):
    """Stop following a room on this connection. Answered by `ack`."""

    type: Literal["leave"] = "leave"
    room: Key


class Typing(Command):
    """This user began (or ended) typing in a room. Expires by itself after 6 s. Not answered without an `id`."""

    type: Literal["typing"] = "typing"
    room: Key
    active: bool = True


class Follow(Command):
    """Be told what is published to a topic, or below a pattern such as `orders.*`. Answered by `following`."""

    type: Literal["follow"] = "follow"
    topic: TopicPattern


class Unfollow(Command):
    """No longer be told. Answered by `ack`."""

    type: Literal["unfollow"] = "unfollow"
    topic: TopicPattern


class Ping(Command):
    """Is the server there? Answered by `pong`."""

    type: Literal["ping"] = "ping"


class Pong(Command):
    """An answer to the server's `ping`; allowed, never needed."""

    type: Literal["pong"] = "pong"


BUILT_IN: tuple[type[Command], ...] = (
    SendMessage,
    Edit,
    Delete,
    React,
    Pin,
    Join,
    Leave,
    History,
    Typing,
    Follow,
    Unfollow,
    Ping,
    Pong,
)


class CommandTable:
    """The commands that a server understands, by their `type`."""

    def __init__(self, models: tuple[type[Command], ...] = BUILT_IN) -> None:
        self._models: dict[str, type[Command]] = {}
        for model in models:
            self.register(model)

    def register(self, model: type[Command]) -> None:
        """Add a command. Raises ValueError if its `type` is taken, TypeError if it names no type."""
        name = model.type_name()
        if name in self._models:
            raise ValueError(f"a command of type {name!r} is registered already: {self._models[name].__name__}")
        self._models[name] = model
        self.__dict__.pop("adapter", None)

    def __iter__(self) -> Iterator[type[Command]]:
        return iter(self._models.values())

    def __contains__(self, type_name: object) -> bool:
        return type_name in self._models

    @cached_property
    def adapter(self) -> TypeAdapter[Command]:
        """The discriminated union of all registered commands."""
        union: Any = reduce(or_, self._models.values())
        return TypeAdapter(Annotated[union, Field(discriminator="type")])

    def validate(self, frame: object) -> Command:
        """One decoded frame as a command. Raises `Invalid` with the fields named, or `UnknownType`."""
        try:
            command: Command = self.adapter.validator.validate_python(frame)
        except ValidationError as error:
            raise self._explain(frame, error) from None
        return command

    def _explain(self, frame: object, error: ValidationError) -> Invalid | UnknownType:
        if not isinstance(frame, dict):
            return Invalid('a frame is one object: {"type": …}')
        name = frame.get("type")
        if isinstance(name, str) and name not in self._models:
            return UnknownType(f"unknown type {name[:64]!r}; known: {', '.join(sorted(self._models))}")
        if not isinstance(name, str):
            return Invalid(
                "type: a string is required",
                errors=[{"loc": ["type"], "msg": "a string is required", "type": "missing"}],
            )
        return invalid_fields(error)


def what_is_wrong(entry: ErrorDetails) -> str:
    """One of Pydantic's findings, without the "Value error, " that it puts before a validator's own words."""
    return entry["msg"].removeprefix("Value error, ")


def invalid_fields(error: ValidationError, *, tagged: bool = True) -> Invalid:
    """What Pydantic found, as an `Invalid` that names each field and what was expected; never what was sent.

    `tagged` says that the model is a discriminated union, whose locations begin with the tag, which is no field.
    """
    found: list[dict[str, Any]] = [
        {
            "loc": [str(part)[:64] for part in entry["loc"][int(tagged) :]],
            "msg": what_is_wrong(entry)[:200],
            "type": entry["type"],
        }
        for entry in error.errors(include_url=False, include_context=False, include_input=False)[:10]
    ]
    where, what = ".".join(found[0]["loc"]), found[0]["msg"]
    return Invalid(f"{where}: {what}" if where else what, errors=found)
