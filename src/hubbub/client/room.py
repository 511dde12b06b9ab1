"""A room that a client has joined, and what its user does there."""

from __future__ import annotations

import secrets
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError

from hubbub.client.view import RoomView
from hubbub.wire.answers import Ack
from hubbub.wire.commands import invalid_fields
from hubbub.wire.members import (
    Ban,
    ChangeRoom,
    Invite,
    Kick,
    LeaveRoom,
    Mute,
    Remove,
    RoomMember,
    SetRole,
)
from hubbub.wire.messages import Delete, Edit, History, HistoryPage, MessageEvent, Pin, React, SendMessage
from hubbub.wire.reports import Report
from hubbub.wire.rooms import LISTED, OnlinePage
from hubbub.wire.typing import Typing

if TYPE_CHECKING:
    from hubbub.client.client import Client

M = TypeVar("M", bound=BaseModel)


class Room:
    """A room that the client has joined, and what can be done there.

    When a call returns, its change is durable (in a room that stores messages). Calls raise the `RequestError` with
    which the server refuses them; for other errors see `Client.ask`.
    """

    def __init__(self, client: Client, view: RoomView) -> None:
        self._client = client
        self.view = view
        """What the client knows of the room: messages, position, who is online."""

    @property
    def key(self) -> str:
        return self.view.key

    @property
    def messages(self) -> list[MessageEvent]:
        """The latest messages, by seq. One's own message is added when its event comes, not when `send` returns."""
        return self.view.messages

    async def send(
        self, text: str, *, key: str | None = None, reply_to: int | None = None, data: dict[str, Any] | None = None
    ) -> Ack:
        """Say something, exactly once, whatever happens to the connection. Returns the message's `seq`, `rev` and `ts`.

        If a call is repeated with the same `key`, also in another process, it is the same message. Raises `Conflict` if
        the key was used with another content.
        """
        return await self._client.ask(
            made(SendMessage, room=self.key, text=text, key=key or new_key(), reply_to=reply_to, data=data), Ack
        )

    async def edit(self, seq: int, text: str) -> Ack:
        """Give one's own message another text."""
        return await self._client.ask(made(Edit, room=self.key, seq=seq, text=text), Ack)

    async def delete(self, seq: int) -> Ack:
        """Take a message back."""
        return await self._client.ask(made(Delete, room=self.key, seq=seq), Ack)

    async def react(self, seq: int, emoji: str, *, on: bool = True) -> Ack:
        """Put an emoji under a message, or take it away."""
        return await self._client.ask(made(React, room=self.key, seq=seq, emoji=emoji, on=on), Ack)

    async def pin(self, seq: int, *, on: bool = True) -> Ack:
        """Pin a message for everybody, or unpin it."""
        return await self._client.ask(made(Pin, room=self.key, seq=seq, on=on), Ack)

    async def history(
        self, *, before: int | None = None, after: int | None = None, around: int | None = None, limit: int = 50
    ) -> HistoryPage:
        """A page of messages, by seq; the latest ones if no place is given. A page that is adjacent to `messages`
        becomes part of them."""
        command = made(History, room=self.key, before=before, after=after, around=around, limit=limit)
        return await self._client.ask(command, HistoryPage)

    async def load_earlier(self, limit: int = 50) -> bool:
        """Put the page before the first message into `messages`. False if there is none."""
        if not self.view.has_earlier:
            return False
        return bool((await self.history(before=self.view.first, limit=limit)).messages)

    def typing(self, *, active: bool = True) -> None:
        """Show the others that this user is typing; repeat it every few seconds. It is dropped if there is no
        connection."""
        self._client.tell(made(Typing, room=self.key, active=active))

    async def online(self, q: str = "", *, after: str | None = None, limit: int = 50) -> OnlinePage:
        """A page of the users who are online here: `Client.online`."""
        return await self._client.online(self.key, q, after=after, limit=limit)

    # The room itself, and who is what in it.

    async def members(self) -> list[RoomMember]:
        """Those who have a role here, or are muted or banned; of a large room in several requests. From now on
        `view.members` follows what changes."""
        found: list[RoomMember] = []
        after: str | None = None
        while True:
            page = await self._client.members(self.key, after=after, limit=LISTED)
            self.view.members.learn(page, after=after)
            found += page.members
            if page.next is None:
                return self.view.members.list or found
            after = page.next

    async def change(
        self,
        *,
        title: str | None = None,
        description: str | None = None,
        archived: bool | None = None,
        slow: int | None = None,
    ) -> Ack:
        """Change what is said about the room. An empty text removes a title or a description; `slow` is the number of
        seconds between two messages of one user."""
        command = made(ChangeRoom, room=self.key, title=title, description=description, archived=archived, slow=slow)
        return await self._client.ask(command, Ack)

    async def invite(self, user: str) -> Ack:
        """Make a user a member of a private room."""
        return await self._client.ask(made(Invite, room=self.key, user=user), Ack)

    async def remove(self, user: str) -> Ack:
        """Take a member out of a private room."""
        return await self._client.ask(made(Remove, room=self.key, user=user), Ack)

    async def set_role(self, user: str, role: Literal["owner", "moderator", "member"]) -> Ack:
        """Give a user another role. An owner who makes somebody else the owner becomes a moderator."""
        return await self._client.ask(made(SetRole, room=self.key, user=user, role=role), Ack)

    async def report(self, seq: int, reason: str) -> Ack:
        """Tell those who moderate the room of a message."""
        return await self._client.ask(made(Report, room=self.key, seq=seq, reason=reason), Ack)

    async def kick(self, user: str) -> Ack:
        """Take a user's connections out of a room; they may join again."""
        return await self._client.ask(made(Kick, room=self.key, user=user), Ack)

    async def mute(self, user: str, *, until: datetime | None = None, on: bool = True) -> Ack:
        """Let a user only read, until a time with a zone or for ever; `on=False` takes it back."""
        return await self._client.ask(made(Mute, room=self.key, user=user, until=_time(until), on=on), Ack)

    async def ban(self, user: str, *, until: datetime | None = None, on: bool = True) -> Ack:
        """Keep a user out of the room, until a time with a zone or for ever; `on=False` takes it back."""
        return await self._client.ask(made(Ban, room=self.key, user=user, until=_time(until), on=on), Ack)

    async def leave_room(self) -> Ack:
        """Give up one's membership of the room. `leave` only stops following it."""
        return await self._client.ask(made(LeaveRoom, room=self.key), Ack)

    def leave(self) -> None:
        """Stop following the room."""
        self._client.leave(self.key)


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None


def new_key() -> str:
    """An idempotency key: the time, then 64 random bits. So the server's index of keys grows only at its end."""
    return f"{time.time_ns() // 1_000_000:x}{secrets.token_hex(8)}"


def made(model: type[M], **fields: Any) -> M:
    """A part of a command. Raises `Invalid` if a field is wrong, as the server would."""
    try:
        return model(**fields)
    except ValidationError as error:
        raise invalid_fields(error, tagged=False) from None
