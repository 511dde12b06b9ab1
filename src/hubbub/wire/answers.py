"""The answers that any command may get: it is done, or it cannot be done."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from hubbub.errors import RequestError
from hubbub.wire.base import Reply
from hubbub.wire.codes import ErrorCode


class Ack(Reply):
    """The command is done. In a room that stores messages: and durable."""

    type: Literal["ack"] = "ack"
    room: str | None = None
    seq: int | None = None
    rev: int | None = None
    ts: str | None = None
    expires: str | None = Field(None, description="For `auth`: when the identity ends now.")


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
        """The event that tells a client of an error. `room` is the command's; it is used if the error names no room."""
        return cls(
            id=id,
            command=command,
            room=error.room or room,
            code=error.code,
            message=error.message,
            retry_after=error.retry_after,
            errors=list(error.errors) if error.errors else None,
        )
