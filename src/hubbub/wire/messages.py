"""Messages: to send and change them, and to read a room's history."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field, model_validator

from hubbub.wire.base import Command, Event, Reply
from hubbub.wire.data import Data
from hubbub.wire.emoji import Emoji
from hubbub.wire.identity import OnlineUser
from hubbub.wire.keys import IdempotencyKey, Key, Seq, Text
from hubbub.wire.members import RoomFields

PAGE = 200
"""Messages in one page of history, at most."""


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


class Sync(RoomFields, Event):
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
