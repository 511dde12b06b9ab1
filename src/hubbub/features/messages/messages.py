"""Saying something in a room, changing it, and reading what was said.

In a room that is stored, a message is durable before its sender is told so, and everybody hears of it from the commit.
In one that is not, it is handed to whoever is there. Which rooms are stored is the node's decision.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from hubbub.accounts.policies import Action, Policy
from hubbub.broker.base import Broker
from hubbub.errors import Invalid, NotFound
from hubbub.features.messages.log import RoomLog
from hubbub.features.messages.log_changes import Author, Changed, Outcome
from hubbub.features.rooms.rooms import channel_of
from hubbub.store.threads import settle
from hubbub.wire.base import timestamp
from hubbub.wire.data import check_data
from hubbub.wire.identity import SYSTEM, User
from hubbub.wire.keys import is_blank
from hubbub.wire.messages import MessageEvent
from hubbub.wire.publication import Publication


class Said(Protocol):
    """A message is on its way. In a room that is not stored it has no numbers; a repeat of one has no event."""

    room: str
    ts: str
    event: MessageEvent | None

    @property
    def seq(self) -> int | None: ...

    @property
    def rev(self) -> int | None: ...


@dataclass(slots=True)
class Relayed:
    """What `Sent` is in a room that stores nothing."""

    room: str
    ts: str
    event: MessageEvent | None
    seq: None = None
    rev: None = None


class Messages:
    """What is said in rooms. `clock` gives seconds since 1970; `log_of` the log of a room, None if it is not stored.

    Whoever calls it has asked the policy, as the dispatcher does for each command. Only `delete` asks it once more:
    whether somebody may delete what others wrote.
    """

    def __init__(
        self,
        *,
        broker: Broker,
        policy: Policy,
        clock: Callable[[], float],
        log_of: Callable[[str], RoomLog | None],
    ) -> None:
        self._broker = broker
        self._policy = policy
        self._clock = clock
        self._log_of = log_of

    async def send(
        self,
        user: User,
        room: str,
        text: str,
        *,
        key: str | None = None,
        reply_to: int | None = None,
        data: dict[str, Any] | None = None,
    ) -> Said:
        """A user says something. A repeat under the same `key` gets the numbers of the first time.

        Raises `Conflict` for a key with another content, `NotFound` for a
        reply to nothing, `Unavailable` if it could not be stored: then it was not sent.
        """
        said: asyncio.Future[Said] = asyncio.get_running_loop().create_future()
        answered = partial(settle, said)
        self.submit(user, room, text, key=key, reply_to=reply_to, data=data, answered=answered)
        return await said

    def submit(
        self,
        user: User,
        room: str,
        text: str,
        *,
        answered: Callable[[Said | Exception], None],
        key: str | None = None,
        reply_to: int | None = None,
        data: dict[str, Any] | None = None,
    ) -> None:
        """`send` without a task: `answered` is called with what `send` would have returned or raised.

        Raises what is known at once: `Invalid` for a blank text without data or for data that no client
        could be sent, and `Unavailable` if too many wait already.
        """
        _check_content(text, data)
        log = self._log_of(room)
        if log is None:
            answered(self._relay(user, room, text, key=key, data=data))
        else:
            log.submit(author_of(user), room, text, key=key, reply_to=reply_to, data=data, answered=answered)

    async def announce(self, room: str, text: str, *, data: dict[str, Any] | None = None) -> Said:
        """The application says something to everybody in a room.

        Raises `Unavailable` if it could not be stored, `Invalid` for a blank text without data or for data that no
        client could be sent.
        """
        _check_content(text, data)
        log = self._log_of(room)
        if log is None:
            return self._relay(SYSTEM, room, text, kind="system", data=data)
        return await log.send(author_of(SYSTEM), room, text, data=data, kind="system")

    async def edit(self, user: User, room: str, seq: int, text: str) -> Changed:
        """Give one's own message another text. Raises `Forbidden`, `NotFound`, `Invalid` for a blank text, and
        `Unavailable`."""
        if is_blank(text):
            raise _blank("a blank text is no message; delete it instead")
        return await self._stored(room).edit(author_of(user), room, seq, text)

    async def delete(self, user: User, room: str, seq: int) -> Changed:
        """Take a message back: one's own, or with the policy's leave anybody's. Raises as `edit` does."""
        of_anybody = self._policy(user, Action.MODERATE, room)
        return await self._stored(room).delete(author_of(user), room, seq, of_anybody=of_anybody)

    async def react(self, user: User, room: str, seq: int, emoji: str, *, on: bool) -> Changed:
        """Put an emoji under a message, or take it away. Raises as `edit` does, and `TooLarge`."""
        return await self._stored(room).react(author_of(user), room, seq, emoji, on=on)

    async def pin(self, user: User, room: str, seq: int, *, on: bool) -> Changed:
        """Pin a message for everybody, or unpin it. Raises as `edit` does."""
        return await self._stored(room).pin(author_of(user), room, seq, on=on)

    def publish(self, outcome: Outcome) -> None:
        """Tell everybody in the room of a change that has become durable."""
        channel = channel_of(outcome.room)
        if outcome.event is not None:
            self._broker.publish(Publication(channel, outcome.event, position=outcome.rev))
        else:
            # It was repeated. It may be that nobody heard of the first, if the node ended that did it.
            self._broker.publish(Publication.head(channel, outcome.rev))

    def _stored(self, room: str) -> RoomLog:
        log = self._log_of(room)
        if log is None:
            raise NotFound(f"room {room!r} stores no messages", room=room)
        return log

    def _relay(
        self,
        user: User,
        room: str,
        text: str,
        *,
        kind: Any = "text",
        key: str | None = None,
        data: dict[str, Any] | None = None,
    ) -> Said:
        ts = timestamp(self._clock())
        event = MessageEvent(room=room, user=user.key, name=user.name, kind=kind, text=text, ts=ts, key=key, data=data)
        self._broker.publish(Publication(channel_of(room), event))
        return Relayed(room, ts, event)


def _check_content(text: str, data: dict[str, Any] | None) -> None:
    """An application may send an object of its own without a text; nobody else sends nothing."""
    if data is not None:
        check_data(data)
    elif is_blank(text):
        raise _blank("a message must not be blank")


def _blank(message: str) -> Invalid:
    return Invalid(f"text: {message}", errors=[{"loc": ["text"], "msg": message, "type": "blank"}])


def author_of(user: User) -> Author:
    """A user as the log knows them."""
    return Author(user.key, user.name, user.identity)
