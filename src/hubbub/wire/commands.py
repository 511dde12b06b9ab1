"""All commands, by their `type`: the table from which their union is built.

Each command stands with the events of its noun: `messages.py`, `rooms.py`, `members.py`, `reports.py`, `typing.py`,
`topics.py`, `connection.py`.
The table is open: an application registers its own command models, and they take part in the same discriminated
union, JSON Schema and TypeScript types as the built-in ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property, reduce
from operator import or_
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from hubbub.errors import Invalid, UnknownType
from hubbub.wire.base import Command
from hubbub.wire.connection import Auth, Ping, Pong
from hubbub.wire.members import (
    Ban,
    ChangeRoom,
    Create,
    Direct,
    Invite,
    Kick,
    LeaveRoom,
    Mute,
    Remove,
    SetRole,
)
from hubbub.wire.messages import Delete, Edit, History, Pin, React, SendMessage
from hubbub.wire.reports import Report
from hubbub.wire.rooms import Join, Leave
from hubbub.wire.topics import Follow, Unfollow
from hubbub.wire.typing import Typing

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
    Create,
    Direct,
    ChangeRoom,
    Invite,
    Remove,
    LeaveRoom,
    SetRole,
    Kick,
    Mute,
    Ban,
    Report,
    Follow,
    Unfollow,
    Ping,
    Pong,
    Auth,
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
    """Pydantic's findings as an `Invalid` that names each field and what was expected, but never quotes what was sent.

    `tagged` says that the model is a discriminated union. Its locations begin with the tag, which is not a field.
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
