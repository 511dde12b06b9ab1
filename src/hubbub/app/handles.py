"""What an application can do, from any of its routes and tasks, with rooms, users, topics and connections.

Handles are cheap and hold nothing; make one where you need it. All of them raise `NotStarted` outside the application's
lifespan or event loop. Methods that end in `_sync` are for other threads, such as those of plain `def` routes. They
wait until the event loop has done the same, and raise `InEventLoop` in that loop.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from pydantic import ValidationError

from hubbub.accounts.policies import Action
from hubbub.accounts.roles import PRIVATE, RoomRole
from hubbub.delivery.connection import Connection
from hubbub.errors import Conflict, Invalid
from hubbub.features.access.feature import AccessFeature
from hubbub.features.members.feature import MembersFeature
from hubbub.features.messages.feature import MessagesFeature
from hubbub.features.messages.log_changes import ChangeRequest, RoomChange
from hubbub.features.people.feature import PeopleFeature
from hubbub.features.people.user_channels import UserChannels
from hubbub.features.rooms.feature import RoomsFeature
from hubbub.features.rooms.rooms import channel_of
from hubbub.features.topics.feature import TopicsFeature
from hubbub.node import Node, NodeSource
from hubbub.presence.crowd import Crowd
from hubbub.wire.base import Event
from hubbub.wire.codes import CloseCode
from hubbub.wire.commands import invalid_fields
from hubbub.wire.identity import SYSTEM, OnlineUser
from hubbub.wire.keys import fold, is_key
from hubbub.wire.members import Create
from hubbub.wire.messages import MessageEvent, SendMessage
from hubbub.wire.publication import Publication
from hubbub.wire.topics import Level


class _Handle:
    __slots__ = ("_source", "key")

    def __init__(self, source: NodeSource, key: str) -> None:
        """Raises `Invalid` if `key` is no key."""
        if not is_key(key):
            raise Invalid(f"{key!r} is no key: 1 to 64 of A-Z a-z 0-9 _ . : @ | -, beginning with a letter or digit")
        self._source = source
        self.key = key

    @property
    def _node(self) -> Node:
        node = self._source()
        node.require_started()
        return node


class RoomHandle(_Handle):
    """A room, whether or not somebody is in it."""

    __slots__ = ()

    @property
    def online(self) -> int:
        """How many users are in the room."""
        return self._node.feature(RoomsFeature).rooms.online(self.key) or 0

    def users(self) -> list[OnlineUser]:
        """All who are in the room, up to 100; of more, the 20 who came first."""
        return self._node.feature(RoomsFeature).rooms.users(self.key)

    async def crowd(self) -> Crowd:
        """Who is in the room, on all nodes: `crowd.online` and `crowd.users()`. Other nodes are asked if nobody in the
        room is connected to this one.

        Raises `Unavailable` if they cannot be asked.
        """
        return await self._node.feature(RoomsFeature).rooms.crowd(self.key)

    def require(self, connection: Connection) -> None:
        """Begin with this in a command of the application's own that addresses a room.

        Raises `Forbidden` unless the connection has joined the room.
        """
        self._node.feature(RoomsFeature).rooms.joined_by(connection, self.key)

    async def send(self, text: str, *, data: dict[str, Any] | None = None) -> MessageEvent:
        """Say something to everybody in the room, as the application (`kind: system`).

        Raises `Invalid` for a message that no client could send: a blank text without data, a text over 4,000
        characters or with control characters, data that not every client could receive. Raises `Unavailable` if it
        could not be stored; then nobody has received it.
        """
        try:
            command = SendMessage(room=self.key, text=text, data=data)
        except ValidationError as error:
            raise invalid_fields(error, tagged=False) from None
        sent = await self._node.feature(MessagesFeature).messages.change(ChangeRequest(SYSTEM, self.key, command))
        assert sent.event is not None  # only a repeat has no event
        return sent.event

    def send_sync(self, text: str, *, data: dict[str, Any] | None = None) -> MessageEvent:
        """`send`, from a thread."""
        return self._source().wait_for(self.send(text, data=data))

    async def invite(self, user: str | int) -> None:
        """Make a user a member of a private room. The user need not have connected yet. Where your `membership` says
        who is in the room, the same as `refresh_access(user)`.

        This and the other methods that change who is in the room raise `NotFound` if there is no such room or user,
        `Conflict` if the room does not allow it, and `Unavailable`.
        """
        if not await self._asks_application(user):
            await self._change(RoomChange(Action.INVITE, (str(user),), claims=True))

    def invite_sync(self, user: str | int) -> None:
        """`invite`, from a thread."""
        self._source().wait_for(self.invite(user))

    async def remove(self, user: str | int) -> None:
        """Take a member out of a private room. Connections that are in it are told, and get nothing of it after that,
        on all nodes. Where your `membership` says who is in the room, the same as `refresh_access(user)`."""
        if not await self._asks_application(user):
            await self._change(RoomChange(Action.REMOVE, (str(user),)))

    def remove_sync(self, user: str | int) -> None:
        """`remove`, from a thread."""
        self._source().wait_for(self.remove(user))

    async def refresh_access(self, user: str | int | None = None) -> None:
        """Your tables have changed: ask `membership` again about this user in the room, or about everybody there, on
        all nodes. Who is in it no more is told and gets nothing of it after that. Returns when this is durable; the
        nodes ask within a second, while the broker is down too. Change your tables first. Raises `Unavailable`."""
        key = UserHandle(self._source, str(user)).key if user is not None else None
        await self._node.feature(MembersFeature).refresh_access(self.key, key)

    def refresh_access_sync(self, user: str | int | None = None) -> None:
        """`refresh_access`, from a thread."""
        self._source().wait_for(self.refresh_access(user))

    async def set_role(self, user: str | int, role: Literal["owner", "moderator", "member"]) -> None:
        """Give a user another role in the room: in a private one a member, in a public one anybody."""
        await self._change(RoomChange(Action.SET_ROLE, (str(user),), role=RoomRole(role), claims=True))

    def set_role_sync(self, user: str | int, role: Literal["owner", "moderator", "member"]) -> None:
        """`set_role`, from a thread."""
        self._source().wait_for(self.set_role(user, role))

    async def _asks_application(self, user: str | int) -> bool:
        if self._is_of_application:
            await self.refresh_access(user)
        return self._is_of_application

    @property
    def _is_of_application(self) -> bool:
        application = self._node.feature(RoomsFeature).rooms.access.application
        return application is not None and application.decides(fold(self.key))

    async def _change(self, change: RoomChange) -> None:
        if self._is_of_application:
            raise Conflict(f"your membership function says who is what in {self.key!r}", room=self.key)
        if change.action is not Action.SET_ROLE and not fold(self.key).startswith(PRIVATE):
            words = f"room {self.key!r} is not private: `hub.rooms.create(kind='private')` makes one that is"
            raise Conflict(words, room=self.key)
        await self._node.feature(MembersFeature).rooms_of_people.change(SYSTEM, self.key, change)

    async def publish(self, event: Event) -> None:
        """Send an event of the application's own to everybody in the room. It is not stored: people who are away miss
        it."""
        self._node.broker.publish(Publication(channel_of(self.key), event, ephemeral=True))

    def publish_sync(self, event: Event) -> None:
        """`publish`, from a thread."""
        self._source().wait_for(self.publish(event))


class RoomHandles:
    """The rooms of a hub. Call it with a key for that room; iterate over it for the rooms with people in them."""

    def __init__(self, source: NodeSource) -> None:
        self._source = source

    def __call__(self, key: str) -> RoomHandle:
        """Raises `Invalid` if `key` is no key."""
        return RoomHandle(self._source, key)

    async def create(
        self,
        *,
        kind: Literal["public", "private"] = "private",
        room: str | None = None,
        title: str | None = None,
        users: Sequence[str | int] = (),
    ) -> RoomHandle:
        """Make a room, with these users as members of a private one. A public room needs a key, `room`; the key of a
        private one is made here, and is the handle's `key`. Nobody owns the room; `set_role` makes somebody the owner.

        Raises `Invalid`, `Conflict` if there is a public room with that key, `Unavailable`.
        """
        node = self._source()
        node.require_started()
        try:
            command = Create(kind=kind, room=room, title=title, users=[str(user) for user in users])
        except ValidationError as error:
            raise invalid_fields(error, tagged=False) from None
        members = node.feature(MembersFeature).rooms_of_people
        return RoomHandle(self._source, await members.create(SYSTEM, command, claims=True))

    def __len__(self) -> int:
        return len(self._source().feature(RoomsFeature).rooms)

    def __iter__(self) -> Iterator[RoomHandle]:
        return iter([RoomHandle(self._source, room.key) for room in self._source().feature(RoomsFeature).rooms])


class UserHandle(_Handle):
    """A user, connected or not."""

    __slots__ = ()

    @property
    def connections(self) -> list[Connection]:
        """Their connections to this process, the oldest first."""
        return self._node.fanout.connections.of_user(self.key)

    @property
    def is_online(self) -> bool:
        """Whether they are connected to this process."""
        return bool(self.connections)

    @property
    def _channels(self) -> UserChannels:
        return self._node.feature(PeopleFeature).user_channels

    async def send(self, event: Event) -> int:
        """Send an event to all their connections, on all nodes. Returns how many these are. One that takes less than it
        is sent misses the event."""
        return await self._channels.send(self.key, event)

    def send_sync(self, event: Event) -> int:
        """`send`, from a thread."""
        return self._source().wait_for(self.send(event))

    async def disconnect(self, code: int = CloseCode.NORMAL, reason: str = "") -> int:
        """Close all their connections, on all nodes. Returns how many these were."""
        return await self._channels.close(self.key, code, reason)

    async def revoke(self) -> None:
        """End all that this user has here: every connection is closed with 4401, on all nodes, and tokens that were
        issued until now are refused. Returns when that is durable.

        The other nodes know it within a second; while the broker is down, within two. What your own `authenticate`
        accepts is yours to end: do that before. Raises `Unavailable`; then nothing is revoked.
        """
        await self._node.feature(AccessFeature).revocations.revoke(self.key)

    def revoke_sync(self) -> None:
        """`revoke`, from a thread."""
        self._source().wait_for(self.revoke())

    def disconnect_sync(self, code: int = CloseCode.NORMAL, reason: str = "") -> int:
        """`disconnect`, from a thread."""
        return self._source().wait_for(self.disconnect(code, reason))


class TopicHandle(_Handle):
    """A topic that people can follow."""

    __slots__ = ()

    async def publish(
        self, title: str, message: str = "", *, level: Level = "info", data: dict[str, Any] | None = None
    ) -> int:
        """Tell everybody who follows the topic. Returns how many connections these are, on all nodes."""
        return await self._node.feature(TopicsFeature).notifications.publish(
            None, self.key, title=title, message=message, level=level, data=data
        )

    def publish_sync(
        self, title: str, message: str = "", *, level: Level = "info", data: dict[str, Any] | None = None
    ) -> int:
        """`publish`, from a thread."""
        return self._source().wait_for(self.publish(title, message, level=level, data=data))


class Connections:
    """All connections to this process."""

    def __init__(self, source: NodeSource) -> None:
        self._source = source

    def __len__(self) -> int:
        return len(self._source().fanout.connections)

    def __iter__(self) -> Iterator[Connection]:
        return iter(list(self._source().fanout.connections.values()))

    def get(self, id: str) -> Connection | None:
        return self._source().fanout.connections.get(id)

    def send(self, message: Event | str | bytes) -> int:
        """Send to every connection. Returns how many took it. For many connections, a room is cheaper: there it is
        encoded once."""
        return sum(connection.send(message) for connection in self)
