"""Rooms while people are in them: who is online, and telling the others.

A room comes to be when somebody joins it and leaves no trace when the last one has gone. A user counts once, however
many connections: the first one is announced as `join`, the last one gone as `leave` (after a while where it vanished
without a word, since most of those come back at once). Above a hundred online, a count replaces the announcements:
they would grow with the square of the room.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import lru_cache
from itertools import islice

from hubbub.accounts.policies import Action, permit
from hubbub.delivery.connection import Connection
from hubbub.delivery.hold import Hold
from hubbub.errors import Forbidden, TooLarge
from hubbub.features.feature import Services
from hubbub.wire.identity import OnlineUser, User
from hubbub.wire.keys import fold
from hubbub.wire.publication import Publication
from hubbub.wire.rooms import USERS_IN_JOINED, USERS_OF_MANY, JoinEvent, LeaveEvent, Online

ANNOUNCED_UP_TO = 100
"""With more people online than this, a count is published at most once a second instead of each coming and going."""

PREFIX = "room:"


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
    """A room that somebody is in. Its key is spelled as the first one who joined spelled it."""

    __slots__ = ("_people", "_shown", "channel", "joining", "key")

    def __init__(self, key: str) -> None:
        self.key = key
        self.channel = channel_of(key)
        self.joining = 0
        self._people: dict[str, _Person] = {}
        self._shown: list[OnlineUser] | None = None

    @property
    def name(self) -> str:
        return self.key

    @property
    def online(self) -> int:
        return len(self._people)

    @property
    def is_empty(self) -> bool:
        return not self._people and not self.joining

    def users(self) -> list[OnlineUser]:
        """All who are online, up to 100; of more, the 20 who came first."""
        if self._shown is None:
            most = USERS_IN_JOINED if self.online <= USERS_IN_JOINED else USERS_OF_MANY
            people = [person.user for person in islice(self._people.values(), most)]
            self._shown = [OnlineUser(user=user.key, name=user.name, guest=user.guest or None) for user in people]
        return self._shown

    def enter(self, user: User) -> bool:
        """One more connection of this user. True if it is the first."""
        person = self._people.get(fold(user.key))
        if person is None:
            person = self._people[fold(user.key)] = _Person(user)
            if self.online <= USERS_IN_JOINED + 1:
                self._shown = None
        elif person.user.identity != user.identity:
            # The one who had the key before is about to go: their connections are being closed.
            person.user, self._shown = user, None
        person.connections += 1
        return person.connections == 1

    def exit(self, user: User) -> bool:
        """One connection less. True if it was the last."""
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
        if self._people.pop(fold(user.key), None) is not None:
            self._shown = None


class Rooms:
    """All rooms that somebody on this node is in. Call `tick` about once a second. `clock` gives seconds that never
    jump."""

    def __init__(self, services: Services, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._fanout = services.fanout
        self._broker = services.broker
        self._policy = services.policy
        self._linger = services.settings.linger
        self._rooms_per_connection = services.settings.rooms_per_connection
        self._clock = clock
        self._rooms: dict[str, Room] = {}
        self._leaving: dict[tuple[Room, str], tuple[float, User]] = {}
        self._recount: dict[Room, None] = {}

    def __len__(self) -> int:
        return len(self._rooms)

    def __iter__(self) -> Iterator[Room]:
        return iter(self._rooms.values())

    def at(self, channel: str) -> Room | None:
        """The room whose channel this is, if somebody is in it."""
        return self._rooms.get(channel)

    def has_joined(self, connection: Connection, key: str) -> bool:
        # What an ended connection was in stays on record, for those who clean up after it.
        return connection.is_open and channel_of(key) in connection.channels

    def online(self, key: str) -> int:
        room = self._rooms.get(channel_of(key))
        return room.online if room is not None else 0

    def users(self, key: str) -> list[OnlineUser]:
        room = self._rooms.get(channel_of(key))
        return room.users() if room is not None else []

    def joined_by(self, connection: Connection, key: str) -> Room:
        """A room that this connection has joined, and is still there. Raises `Forbidden`."""
        room = self._rooms.get(channel_of(key))
        if room is None or not self.has_joined(connection, key):
            raise Forbidden(f"join room {key!r} first", room=key)
        return room

    @asynccontextmanager
    async def joining(self, connection: Connection, key: str) -> AsyncIterator[tuple[Room, Hold]]:
        """Subscribe a connection to a room's events, and count its user in. In the block it is held, and told what it
        missed. If the block fails, the connection leaves the room again, unless it was in it before.

        Raises `Forbidden` if the policy does not let this user in, `TooLarge` if the connection is in too many rooms.
        """
        permit(self._policy, connection.user, Action.JOIN, key)
        channel = channel_of(key)
        if channel in connection.channels:
            with self._fanout.holding(connection, channel) as hold:
                yield self._rooms[channel], hold
            return
        if sum(name.startswith(PREFIX) for name in connection.channels) >= self._rooms_per_connection:
            raise TooLarge(f"a connection is in at most {self._rooms_per_connection} rooms", room=key)
        room = self._rooms.get(channel)
        if room is None:
            room = self._rooms[channel] = Room(key)
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
                yield room, hold
            except BaseException:
                # One that has ended leaves its rooms by itself, and must not leave them twice.
                if self.has_joined(connection, key):
                    self.leave(connection, key)
                raise

    def leave(self, connection: Connection, key: str) -> None:
        """Unsubscribe a connection from a room, and count its user out. Raises `Forbidden` if it was not in it."""
        room = self.joined_by(connection, key)
        self._fanout.unsubscribe(connection, room.channel)
        self._exit(room, connection.user, linger=0.0)

    def disconnected(self, connection: Connection, *, clean: bool) -> list[str]:
        """A connection is gone. A clean close is a leave; who vanishes has a while to come back unnoticed.

        Returns the keys of the rooms that it was in.
        """
        left = []
        for channel in connection.channels:
            room = self._rooms.get(channel)
            if room is not None:
                left.append(room.key)
                self._exit(room, connection.user, linger=0.0 if clean else self._linger)
        return left

    def tick(self) -> None:
        """Announce those whose while is over, and the counts of the large rooms."""
        now = self._clock()
        for (room, key), (deadline, user) in list(self._leaving.items()):
            if now >= deadline:
                del self._leaving[room, key]
                if room.is_away(user):
                    self._gone(room, user)
        recount, self._recount = self._recount, {}
        for room in recount:
            event = Online(room=room.key, online=room.online)
            self._broker.publish(Publication(room.channel, event, ephemeral=True))

    def _enter(self, room: Room, user: User) -> None:
        leaving = self._leaving.get((room, fold(user.key)))
        if leaving is not None and leaving[1].identity != user.identity:
            # Whoever had the key before them does not come back under it.
            del self._leaving[room, fold(user.key)]
            self._gone(room, leaving[1])
        back = room.is_away(user)
        if not room.enter(user):
            return
        self._leaving.pop((room, fold(user.key)), None)
        if back:
            return
        if room.online > ANNOUNCED_UP_TO:
            self._recount[room] = None
            return
        event = JoinEvent(room=room.key, user=user.key, name=user.name, guest=user.guest or None, online=room.online)
        self._broker.publish(Publication(room.channel, event, ephemeral=True))

    def _exit(self, room: Room, user: User, *, linger: float) -> None:
        if not room.exit(user):
            return
        if linger:
            self._leaving[room, fold(user.key)] = (self._clock() + linger, user)
        else:
            self._gone(room, user)

    def _gone(self, room: Room, user: User) -> None:
        room.forget(user)
        if room.is_empty:
            self._forget_if_empty(room)
        elif room.online >= ANNOUNCED_UP_TO:
            self._recount[room] = None
        else:
            event = LeaveEvent(room=room.key, user=user.key, name=user.name, online=room.online)
            self._broker.publish(Publication(room.channel, event, ephemeral=True))

    def _forget_if_empty(self, room: Room) -> None:
        if room.is_empty and self._rooms.get(room.channel) is room:
            del self._rooms[room.channel]
            self._recount.pop(room, None)
