"""Who is online in which room, and the events that tell the others.

A `Room` exists while somebody is in it on this node. A user counts once, with any number of connections to any number
of nodes. This module counts the connections to this node. It tells presence of a user's first connection, and of the
end of the last one: if that one broke, only a while later, since most users come back at once. Presence knows the users
of all nodes. It says what is announced to the connections of this node: `join` and `leave`, or a count once a second if
many are online.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from functools import lru_cache

from hubbub.accounts.policies import Action, permit
from hubbub.accounts.roles import is_restricted
from hubbub.delivery.connection import Connection
from hubbub.delivery.hold import Hold
from hubbub.dispatch.link import run
from hubbub.errors import Forbidden, TooLarge, Unavailable
from hubbub.features.feature import Services
from hubbub.features.rooms.access import Accesses
from hubbub.features.rooms.application_roles import ApplicationRoles
from hubbub.presence.base import Presence
from hubbub.presence.crowd import NAMED_UP_TO, Crowd
from hubbub.wire.base import Event
from hubbub.wire.codes import CloseCode
from hubbub.wire.identity import OnlineUser, User
from hubbub.wire.keys import fold
from hubbub.wire.members import OutBecause, Removed
from hubbub.wire.publication import Publication
from hubbub.wire.rooms import JoinEvent, LeaveEvent, Online

PREFIX = "room:"
ROOMS_AT_ONCE = 20
"""Rooms that are read at the same time, at most, when a node goes on after it was behind."""


@lru_cache(maxsize=10_000)
def channel_of(room: str) -> str:
    """A room's channel: the same for every spelling of its key."""
    return PREFIX + fold(room)


class _Person:
    __slots__ = ("connections", "user")

    def __init__(self, user: User) -> None:
        self.user = user
        self.connections = 0


class Room:
    """A room that somebody is in. Its key is spelled as the first user who joined it spelled it."""

    __slots__ = ("_people", "_presence", "channel", "is_known", "joining", "key")

    def __init__(self, key: str, presence: Presence) -> None:
        self.key = key
        self.channel = channel_of(key)
        self.joining = 0
        self.is_known = False
        """Whether its settings were read since this node follows its log."""
        self._presence = presence
        self._people: dict[str, _Person] = {}

    @property
    def name(self) -> str:
        return self.key

    @property
    def online(self) -> int:
        """How many users are in the room, on all nodes."""
        crowd = self._presence.crowd(self.channel)
        return crowd.online if crowd is not None else len(self._people)

    @property
    def is_empty(self) -> bool:
        """Whether nobody on this node is in the room."""
        return not self._people and not self.joining

    def users(self) -> list[OnlineUser]:
        """All who are online, up to 100; of more, the 20 who came first."""
        crowd = self._presence.crowd(self.channel)
        return crowd.users() if crowd is not None else []

    def enter(self, user: User) -> bool:
        """One more connection of this user joins on this node. True if presence must be told."""
        person = self._people.get(fold(user.key))
        if person is None:
            person = self._people[fold(user.key)] = _Person(user)
            is_news = True
        else:
            # If somebody else had this key before, that user is being disconnected.
            # A user with a new name or colour comes back with it.
            is_news = _look(person.user) != _look(user)
            person.user = user
        person.connections += 1
        return is_news

    def exit(self, user: User) -> bool:
        """One connection of this user leaves. True if it was the last."""
        person = self._people[fold(user.key)]
        person.connections -= 1
        return person.connections == 0

    def is_here(self, user: User) -> bool:
        person = self._people.get(fold(user.key))
        return person is not None and person.connections > 0

    def is_away(self, user: User) -> bool:
        person = self._people.get(fold(user.key))
        return person is not None and person.connections == 0

    def forget(self, user: User) -> None:
        self._people.pop(fold(user.key), None)


class Rooms:
    """All rooms that somebody on this node is in. Presence calls it as its `Audience`. Call `tick` about once a second.
    `clock` gives seconds that never jump."""

    def __init__(self, services: Services, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._fanout = services.fanout
        self._presence = services.presence
        self._application = _application_roles(services, clock)
        self.access = Accesses(
            services.database,
            services.policy,
            is_here=self._is_known,
            learned=self._evict_who_may_not_stay,
            application=self._application,
        )
        self._linger = services.settings.linger
        self._rooms_per_connection = services.settings.rooms_per_connection
        self._clock = clock
        self._rooms: dict[str, Room] = {}
        self._leaving: dict[tuple[Room, str], tuple[float, User]] = {}
        self._recount: dict[Room, None] = {}
        self._evicted = services.features.left
        self._held_back = ExitStack()
        self._told: dict[Connection, dict[str, int]] = {}
        """The private rooms from which connections were taken out, and which change that was."""

    def __len__(self) -> int:
        return len(self._rooms)

    def __iter__(self) -> Iterator[Room]:
        return iter(self._rooms.values())

    def at(self, channel: str) -> Room | None:
        """The room with this channel, None if nobody is in it."""
        return self._rooms.get(channel)

    def has_joined(self, connection: Connection, key: str) -> bool:
        # An ended connection keeps its list of channels, for those that clean up after it.
        return connection.is_open and channel_of(key) in connection.channels

    def online(self, key: str) -> int | None:
        """How many are online in a room. None if nobody on this node is in it: then the node does not know."""
        crowd = self._presence.crowd(channel_of(key))
        return crowd.online if crowd is not None else None

    async def crowd(self, key: str) -> Crowd:
        """Raises `Unavailable` if this node does not know, and cannot ask."""
        return await self._presence.ask(channel_of(key))

    def users(self, key: str) -> list[OnlineUser]:
        crowd = self._presence.crowd(channel_of(key))
        return crowd.users() if crowd is not None else []

    def joined_by(self, connection: Connection, key: str) -> Room:
        """The room, if this connection is in it. Raises `Forbidden` if it is not."""
        room = self._rooms.get(channel_of(key))
        if room is None or not self.has_joined(connection, key):
            raise Forbidden(f"join room {key!r} first", room=key)
        return room

    @asynccontextmanager
    async def joining(self, connection: Connection, key: str) -> AsyncIterator[tuple[Room, Hold]]:
        """Subscribe a connection to a room's events, and count its user as online. In the block the connection's live
        events are held, so that it can be sent what it missed. If the block fails, the connection leaves the room
        again, unless it was in the room before.

        Raises `Forbidden` if this user may not join, `TooLarge` if the connection is in too many rooms, `Unavailable`
        if it cannot be known who may join.
        """
        channel = channel_of(key)
        await self.access.require(connection.user, Action.JOIN, key)
        if channel in connection.channels:
            with self._fanout.holding(connection, channel) as hold:
                yield self._rooms[channel], hold
            return
        if sum(name.startswith(PREFIX) for name in connection.channels) >= self._rooms_per_connection:
            raise TooLarge(f"a connection is in at most {self._rooms_per_connection} rooms", room=key)
        room = self._rooms.get(channel)
        if room is None:
            room = self._rooms[channel] = Room(key, self._presence)
        room.joining += 1
        try:
            hold = await self._fanout.subscribe_held(connection, channel)
            if connection.is_open:
                self._enter(room, connection.user)
        finally:
            room.joining -= 1
            self._forget_if_empty(room)
        with hold:
            try:
                await self._check_again(room, connection.user)
                await self._presence.ask(channel)
                yield room, hold
            except BaseException:
                # An ended connection has left its rooms already, and must not leave them twice.
                if self.has_joined(connection, key):
                    self.leave(connection, key)
                raise

    async def _check_again(self, room: Room, user: User) -> None:
        """What changed before this node followed the room's log was not heard here."""
        if not room.is_known:
            await self.access.read(room.key)
            room.is_known = True
            self.access.came(fold(room.key))
        await self.access.know(user, room.key)
        permit(self.access.permits, user, Action.JOIN, room.key)

    def _is_known(self, folded: str) -> bool:
        room = self._rooms.get(PREFIX + folded)
        return room is not None and room.is_known

    def evict(self, connection: Connection, room: Room, reason: OutBecause, rev: int = 0) -> None:
        """Take a connection out of a room, and tell it. It gets nothing of the room after that. `rev` is that of the
        change."""
        self.leave(connection, room.key)
        connection.reply(Removed(room=room.key, reason=reason))
        if is_restricted(fold(room.key)):
            self._told.setdefault(connection, {})[fold(room.key)] = rev
        self._evicted(connection, room.key)

    def evict_user(self, room: Room, key: str, reason: OutBecause, rev: int, *, guest: bool) -> None:
        """`evict` all connections to this node that a user has in a room: a guest whom the hub has admitted, or
        anybody else, since both may have the same key."""
        for connection in self._fanout.connections.of_user(key):
            if bool(connection.user.identity) is guest and self.has_joined(connection, room.key):
                self.evict(connection, room, reason, rev)

    def tell_removed(self, key: str, identity: str, room: str, reason: OutBecause, rev: int) -> None:
        """Tell the connections to this node of a user who is no member of a room since `rev`. Those that have joined it
        are told by `evict`."""
        for connection in self._fanout.connections.of_user(key):
            if connection.user.identity != identity:
                continue
            if not self.has_joined(connection, room) and self._told.get(connection, {}).get(fold(room), -1) < rev:
                connection.reply(Removed(room=room, reason=reason))

    def _evict_who_may_not_stay(self, folded: str) -> None:
        room = self._rooms.get(PREFIX + folded)
        if room is None:
            return
        for connection in self._fanout.subscribers(room.channel):
            if connection.is_open and not self.access.permits(connection.user, Action.JOIN, room.key):
                access = self.access.at(folded)
                self.evict(connection, room, "removed", access.changed if access is not None else 0)

    def hold_back(self) -> None:
        """This node may have missed that somebody was removed from a room. Until `go_on`, nobody here gets anything of
        closed rooms, and nobody reads in them."""
        self.access.is_behind = True
        for room in self._closed():
            for connection in self._fanout.subscribers(room.channel):
                self._held_back.enter_context(self._fanout.holding(connection, room.channel))

    async def go_on(self) -> None:
        """This node has heard of all changes. Take those out who were removed, and give the others what was held back.
        Raises `Unavailable`; then it is still held back."""
        rooms = [room.key for room in self._closed()]
        for start in range(0, len(rooms), ROOMS_AT_ONCE):
            await asyncio.gather(*(self.access.read(room) for room in rooms[start : start + ROOMS_AT_ONCE]))
        self.access.is_behind = False
        self._held_back.close()

    def _closed(self) -> list[Room]:
        return [room for room in self._rooms.values() if self.access.is_closed(fold(room.key))]

    def ask_application(self, room: str | None = None, user: str | None = None) -> None:
        """The application says that something is different in a room, for a user, or for a user in a room: ask it about
        those who are there. Keys are folded."""
        if self._application is not None:
            for one, folded in self._application.changed(room, user):
                self._ask_about(one, folded)

    def _ask_about(self, user: User, folded: str) -> None:
        room = self._rooms.get(PREFIX + folded)
        if room is None:
            return
        connections = self._of(room, user)
        # Nothing of the room reaches them before the answer.
        holds = [self._fanout.holding(one, room.channel) for one in connections]
        run(self._settle(user, room, holds, must_know=True))

    async def _settle(self, user: User, room: Room, holds: Sequence[Hold] = (), *, must_know: bool) -> None:
        """Ask the application about a user, and act on the answer. `must_know` says that an earlier answer does not
        count any more."""
        assert self._application is not None
        with ExitStack() as stack:
            for hold in holds:
                stack.enter_context(hold)
            try:
                await self._application.ask(user, fold(room.key))
            except Unavailable:
                # They come back, and join when it can be known again whether they may.
                for one in self._of(room, user) if must_know else ():
                    one.close(CloseCode.TRY_AGAIN_LATER, "it cannot be known at the moment who may be in a room")
                return
            for one in self._of(room, user):
                if not self.access.permits(one.user, Action.JOIN, room.key):
                    self.evict(one, room, "removed")

    def _of(self, room: Room, user: User) -> list[Connection]:
        return [one for one in self._fanout.connections.of_user(user.key) if self.has_joined(one, room.key)]

    def _renew(self) -> None:
        """Ask the application again about those who have stayed for long."""
        assert self._application is not None
        for user, folded, is_over in self._application.due():
            room = self._rooms.get(PREFIX + folded)
            if room is not None:
                run(self._settle(user, room, must_know=is_over))

    def leave(self, connection: Connection, key: str) -> None:
        """Unsubscribe a connection from a room, and count its user out. Raises `Forbidden` if it is not in the room."""
        room = self.joined_by(connection, key)
        self._fanout.unsubscribe(connection, room.channel)
        self._exit(room, connection.user, linger=0.0)

    def disconnected(self, connection: Connection, *, clean: bool) -> list[str]:
        """A connection has ended. If it was closed cleanly, its user leaves at once. If it broke, its user stays online
        for a while, and may come back without any event.

        Returns the keys of the rooms that it was in.
        """
        self._told.pop(connection, None)
        left = []
        for channel in connection.channels:
            room = self._rooms.get(channel)
            if room is not None:
                left.append(room.key)
                self._exit(room, connection.user, linger=0.0 if clean else self._linger)
        return left

    def tick(self) -> None:
        """Announce the users who did not come back in time, and the counts of large rooms."""
        if self._application is not None:
            self._renew()
        now = self._clock()
        for (room, key), (deadline, user) in list(self._leaving.items()):
            if now >= deadline:
                del self._leaving[room, key]
                if room.is_away(user):
                    self._take_out(room, user)
        recount, self._recount = self._recount, {}
        for room in recount:
            self._announce(Online(room=room.key, online=room.online), room.channel)

    # What presence says.

    def user_joined(self, channel: str, user: User, online: int) -> None:
        room = self._rooms.get(channel)
        if room is not None:
            self.access.seen(fold(room.key), user)
            guest, color = user.guest or None, user.color
            event = JoinEvent(room=room.key, user=user.key, name=user.name, guest=guest, color=color, online=online)
            self._announce(event, channel)

    def look_changed(self, channel: str, user: User, online: int) -> None:
        # Where the others are not named, nobody would know whom this is about.
        if online <= NAMED_UP_TO:
            self.user_joined(channel, user, online)

    def user_left(self, channel: str, user: User, online: int) -> None:
        room = self._rooms.get(channel)
        if room is not None:
            self._announce(LeaveEvent(room=room.key, user=user.key, name=user.name, online=online), channel)

    def count_changed(self, channel: str) -> None:
        room = self._rooms.get(channel)
        if room is not None:
            self._recount[room] = None

    def _announce(self, event: Event, channel: str) -> None:
        """Send an event to this node's connections. Every other node does the same for its own."""
        self._fanout.deliver(Publication(channel, event, ephemeral=True))

    # What this node tells presence.

    def _enter(self, room: Room, user: User) -> None:
        leaving = self._leaving.get((room, fold(user.key)))
        if leaving is not None and leaving[1].identity != user.identity:
            # The user who had this key before cannot come back under it.
            del self._leaving[room, fold(user.key)]
            self._take_out(room, leaving[1])
        if self._application is not None:
            self._application.came(user, fold(room.key))
        if room.enter(user):
            self._presence.enter(room.channel, user)
        self._leaving.pop((room, fold(user.key)), None)

    def _exit(self, room: Room, user: User, *, linger: float) -> None:
        if not room.exit(user):
            return
        if linger:
            self._leaving[room, fold(user.key)] = (self._clock() + linger, user)
        else:
            self._take_out(room, user)

    def _take_out(self, room: Room, user: User) -> None:
        room.forget(user)
        if self._application is not None:
            self._application.went(user, fold(room.key))
        self._forget_if_empty(room)
        self._presence.exit(room.channel, user)

    def _forget_if_empty(self, room: Room) -> None:
        if room.is_empty and self._rooms.get(room.channel) is room:
            del self._rooms[room.channel]
            self.access.went(fold(room.key))
            self._recount.pop(room, None)


def _look(user: User) -> tuple[str, str, str | None]:
    return user.identity, user.name, user.color


def _application_roles(services: Services, clock: Callable[[], float]) -> ApplicationRoles | None:
    if services.membership is None:
        return None
    return ApplicationRoles(services.membership, deadline=services.settings.hook_timeout, clock=clock)
