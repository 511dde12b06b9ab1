"""Reports: a message that moderators should look at."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from hubbub.wire.base import Command, Event
from hubbub.wire.keys import Key, Seq, Text

Reason = Annotated[Text, StringConstraints(min_length=1, max_length=1000)]


class Report(Command):
    """Tell those who moderate the room of a message. Answered by `ack`."""

    type: Literal["report"] = "report"
    room: Key
    seq: Seq
    reason: Reason


class ReportEvent(Event):
    """Somebody has reported a message, or the report was closed, or opened again. For those who may read it."""

    type: Literal["report"] = "report"
    id: str = Field(description="The report's, as in `GET /api/v1/reports`.")
    room: str
    seq: int
    state: Literal["open", "closed"]
