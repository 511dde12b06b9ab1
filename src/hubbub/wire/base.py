"""The parts that all commands and events share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args

from pydantic import BaseModel, ConfigDict

from hubbub.wire.keys import CommandId


class Frame(BaseModel):
    """What every command and every event has."""

    type: str

    @classmethod
    def type_name(cls) -> str:
        """The one value of the `type` field. Raises TypeError where the model names none or several."""
        names = get_args(cls.model_fields["type"].annotation)
        if len(names) != 1 or not isinstance(names[0], str):
            raise TypeError(f'{cls.__name__} needs exactly one type: `type: Literal["…"] = "…"`')
        return names[0]


class Command(Frame):
    """A frame from client to server. With an `id` it gets exactly one answer that carries the same `id`."""

    model_config = ConfigDict(strict=True, extra="ignore")

    id: CommandId | None = None


class Event(Frame):
    """A frame from server to client. Absent fields are left out, never sent as null.

    No event differs by recipient: one encoding serves everybody in a channel.
    """

    model_config = ConfigDict(extra="forbid")


class Reply(Event):
    """An event that answers a command, and carries its `id` if it had one."""

    id: str | None = None


def timestamp(seconds: float) -> str:
    """Seconds since 1970 as RFC 3339 in UTC with milliseconds: `2026-11-20T09:30:00.123Z`."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def timestamp_of(milliseconds: float) -> str:
    """The same for milliseconds, in which our tables keep time."""
    return timestamp(milliseconds / 1000)
