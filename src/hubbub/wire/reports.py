"""Reports: a message that moderators should look at."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

from hubbub.wire.base import Command
from hubbub.wire.keys import Key, Seq, Text

Reason = Annotated[Text, StringConstraints(min_length=1, max_length=1000)]


class Report(Command):
    """Tell those who moderate the room of a message. Answered by `ack`."""

    type: Literal["report"] = "report"
    room: Key
    seq: Seq
    reason: Reason
