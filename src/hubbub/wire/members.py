"""Who may be in a room: to make rooms, to invite and remove people, their roles, and moderation."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from hubbub.wire.base import Command, Event
from hubbub.wire.keys import IdempotencyKey, Key, Text, clean_title

INVITED = 100
"""People who are invited at once, at most."""
IN_DIRECT = 8
"""People in a direct room, at most."""
FOR_EVER = 2**53 - 1
"""The end of a ban or a mute that has none. Times are in milliseconds since 1970."""
SLOWEST = 6 * 60 * 60


def milliseconds(time: str) -> int:
    """A time of the wire in milliseconds since 1970. Raises ValueError if it is none, or names no time zone."""
    moment = datetime.fromisoformat(time)
    if moment.tzinfo is None:
        raise ValueError("a time needs its zone: 2026-11-20T09:30:00Z")
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("a time is in the years 1 to 9999, in UTC too") from None
    return round(moment.timestamp() * 1000)


def _checked_time(time: str) -> str:
    milliseconds(time)
    return time


Time = Annotated[str, StringConstraints(max_length=40), AfterValidator(_checked_time)]
"""RFC 3339 with a time zone."""
Title = Annotated[str, StringConstraints(max_length=100), AfterValidator(clean_title)]
Description = Annotated[Text, StringConstraints(max_length=1000)]

Kind = Literal["public", "private", "direct"]
OutBecause = Literal["removed", "kicked", "banned", "left"]
RoomRole = Literal["owner", "moderator", "member", "guest", "nobody"]


class Create(Command):
    """Make a room, and join it on this connection. Answered by `joined`."""

    type: Literal["create"] = "create"
    kind: Literal["public", "private"]
    room: Key | None = Field(None, description="The key of a public room. The server makes those of private ones.")
    title: Title | None = None
    users: list[Key] = Field(default_factory=list, max_length=INVITED, description="Who is invited to a private room.")
    key: IdempotencyKey | None = Field(
        None, description="A repeat under the same key finds the room of the first time."
    )


class Direct(Command):
    """Find or make the direct room of oneself and these users, and join it. Answered by `joined`."""

    type: Literal["direct"] = "direct"
    users: list[Key] = Field(min_length=1, max_length=IN_DIRECT - 1)


class ChangeRoom(Command):
    """Change what is said about a room. Answered by `ack`."""

    type: Literal["change_room"] = "change_room"
    room: Key
    title: Title | None = None
    description: Description | None = None
    archived: bool | None = Field(None, description="Nothing more is said in an archived room.")
    slow: int | None = Field(None, ge=0, le=SLOWEST, description="Seconds between two messages of one user.")


class Invite(Command):
    """Make a user a member of a private room. Answered by `ack`."""

    type: Literal["invite"] = "invite"
    room: Key
    user: Key


class Remove(Command):
    """Take a member out of a private room. Answered by `ack`."""

    type: Literal["remove"] = "remove"
    room: Key
    user: Key


class LeaveRoom(Command):
    """Give up one's membership of a room. `leave` only stops following it. Answered by `ack`."""

    type: Literal["leave_room"] = "leave_room"
    room: Key


class SetRole(Command):
    """Give a user another role in a room. Who makes somebody the owner is a moderator afterwards. Answered by `ack`."""

    type: Literal["set_role"] = "set_role"
    room: Key
    user: Key
    role: Literal["owner", "moderator", "member"]


class Kick(Command):
    """Take a user's connections out of a public room; they may join again. Answered by `ack`."""

    type: Literal["kick"] = "kick"
    room: Key
    user: Key


class _Until(Command):
    until: Time | None = None
    on: bool = True

    @property
    def end(self) -> int:
        """Until when, in milliseconds since 1970; 0 if it is taken back."""
        if not self.on:
            return 0
        return FOR_EVER if self.until is None else milliseconds(self.until)


class Mute(_Until):
    """Let a user read in a room, but not write. Answered by `ack`."""

    type: Literal["mute"] = "mute"
    room: Key
    user: Key


class Ban(_Until):
    """Keep a user out of a room. Answered by `ack`."""

    type: Literal["ban"] = "ban"
    room: Key
    user: Key


class _Place(BaseModel):
    user: str
    name: str
    guest: bool | None = None
    role: RoomRole | None = None
    muted: str | None = Field(None, description="Until when. `for_ever` if there is no end; absent if not muted.")
    banned: str | None = Field(None, description="Until when, in the same way.")


class RoomMember(_Place):
    """What somebody is in a room."""

    color: str | None = Field(None, description="The colour that the user has chosen, as `#rrggbb`.")


class MemberChange(_Place):
    """What somebody is in a room from now on."""

    out: OutBecause | None = Field(None, description="Why their connections are no longer in the room.")


class RoomFields(BaseModel):
    """What is said about a room with settings."""

    kind: Kind | None = None
    title: str | None = None
    description: str | None = None
    archived: bool | None = None
    slow: int | None = None


class Removed(Event):
    """This connection is no longer in the room, and gets nothing more of it."""

    type: Literal["removed"] = "removed"
    room: str
    reason: OutBecause


class Invited(Event):
    """The user is a member of a room from now on."""

    type: Literal["invited"] = "invited"
    room: str
    kind: Kind
    title: str | None = None
    by: str


class MembersPage(BaseModel):
    """The people who have a role in a room, or are muted or banned, by name. `GET /api/v1/rooms/{room}/members`."""

    room: str
    kind: Kind
    title: str | None = None
    description: str | None = None
    archived: bool | None = None
    slow: int | None = None
    rev: int | None = Field(None, description="The latest change that the page contains. Absent if there was none.")
    members: list[RoomMember]
    next: str | None = Field(None, description="Where the next page begins. Absent on the last one.")
