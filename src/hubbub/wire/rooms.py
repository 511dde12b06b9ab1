"""Rooms: to join and leave them, what they are like now, and who is online there."""

from __future__ import annotations

from typing import Literal, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hubbub.wire.base import Command, Event, Reply
from hubbub.wire.identity import OnlineUser
from hubbub.wire.keys import Cursor, Epoch, Key, Search, fold
from hubbub.wire.members import MemberChange, RoomFields, RoomMember, RoomRole
from hubbub.wire.messages import MessageEvent

ROOMS_PER_JOIN = 100
LISTED = 200
"""Rooms or people in one page of a list, at most."""

USERS_IN_JOINED = 100


USERS_OF_MANY = 20
"""If more people are online, nobody announces who joins and leaves. A longer list would only be wrong sooner."""


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


class Joined(RoomFields, Reply):
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
    colors: dict[str, str] | None = Field(
        None, description="The colours that authors of these messages have chosen, by their keys."
    )
    recovered: bool
    role: RoomRole | None = Field(None, description="What the user is in this room.")
    members: list[RoomMember] | None = Field(None, description="Everybody in a direct room.")


class JoinEvent(Event):
    """A user's first connection to this room, or another name or colour of somebody who is there."""

    type: Literal["join"] = "join"
    room: str
    user: str
    name: str
    guest: bool | None = None
    color: str | None = None
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


class RoomEvent(RoomFields, Event):
    """Something of the room itself changed: what is said about it, or who is what in it."""

    type: Literal["room"] = "room"
    room: str
    rev: int
    by: str | None = Field(None, description="Who changed it.")
    members: list[MemberChange] | None = Field(None, description="Those who are something else from now on.")
    floor: int | None = Field(None, description="Messages up to this `seq` are gone.")


class ListQuery(BaseModel):
    """Which part of a list, by REST."""

    q: Search = Field("", description="Only what has this in its key or name, in capital or small letters.")
    after: Cursor = Field("", description="The `next` of the page before.")
    limit: int = Field(50, ge=1, le=LISTED)


class ListedRoom(BaseModel):
    """A room in a list."""

    room: str
    name: str
    title: str | None = None
    kind: Literal["private", "direct"] | None = Field(None, description="Absent for public rooms.")
    archived: bool | None = None
    role: RoomRole | None = Field(None, description="What the user is there, in a private or direct room.")
    users: list[OnlineUser] | None = Field(None, description="Everybody in a direct room, online or not.")
    online: int | None = Field(None, description="Absent while the other nodes cannot be asked.")


class RoomsPage(BaseModel):
    """Rooms that the user may join, by their keys. `GET /api/v1/rooms`."""

    rooms: list[ListedRoom]
    next: str | None = Field(None, description="Where the next page begins. Absent on the last one.")


class OnlinePage(BaseModel):
    """Users who are online in a room, by their names. `GET /api/v1/rooms/{room}/online`."""

    room: str
    online: int
    users: list[OnlineUser]
    next: str | None = Field(None, description="Where the next page begins. Absent on the last one.")
