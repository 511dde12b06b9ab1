"""Lists for people to read: the rooms that you may join, and who is online in one of them.

A list is read page by page, from keys and names that are sorted already, so no page costs more for being a late one.
Rooms come from two places, the database and presence, since people may be in a room that stores nothing. The keys of
private and direct rooms are passed over unread, so nobody can tell from a page, or from its time, how many there are. A
user's own ones are read by the user.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence, Sized
from functools import partial
from typing import Literal, NamedTuple, cast

from hubbub.accounts.policies import Action
from hubbub.accounts.roles import RESTRICTED
from hubbub.errors import RateLimited
from hubbub.features.feature import Services
from hubbub.features.rooms.access_rows import OwnRoom, SettingsRow, read_rooms_of, read_settings
from hubbub.features.rooms.room_keys import read_keys
from hubbub.features.rooms.rooms import PREFIX, Rooms, channel_of
from hubbub.presence.crowd import key_at, name_at
from hubbub.wire.identity import OnlineUser, User
from hubbub.wire.keys import appearance, fold
from hubbub.wire.members import RoomRole
from hubbub.wire.rooms import ListedRoom, ListQuery, OnlinePage, RoomsPage

READ = 1000
"""Names that are read at once, after a first page that did not fill."""
WALKED = 10_000
"""Rooms that the database looks through at once for those whose keys match."""

Charge = Callable[[], Awaitable[object]]
"""Called before each further read. Raises `RateLimited` if the user has read too much."""


class _Read(NamedTuple):
    """A part of the sorted list of rooms: their keys by folded key, and how far it goes. `end` is None at the end."""

    keys: dict[str, str]
    end: str | None


class _Own(NamedTuple):
    """Rooms of which a user is a member, by folded key, up to `end`; None if there are no more."""

    rooms: dict[str, OwnRoom]
    end: str | None


class _Span(NamedTuple):
    """The keys after `after` and, if it is given, below `below`. What follows begins after `goes_on`."""

    after: str
    below: str | None
    goes_on: str | None


class Lists:
    def __init__(self, services: Services, rooms: Rooms) -> None:
        self._database = services.database
        self._lists = services.presence.lists
        self._policy = services.policy
        self._rooms = rooms

    async def rooms(self, user: User, query: ListQuery, *, charge: Charge) -> RoomsPage:
        """Rooms that `user` may join. Others do not show in any way: `next` is the last room of the page.

        Raises `RateLimited`, `Unavailable`.
        """
        found: dict[str, str] = {}
        mine: dict[str, OwnRoom] = {}
        part, after, most = fold(query.q), fold(query.after), query.limit + 1
        while True:
            own, others = await self._own(user, after, part, most), await self._read(after, part, most)
            end = min((read.end for read in (own, others) if read.end is not None), default=None)
            mine |= own.rooms
            keys = {folded: one.settings.key for folded, one in own.rooms.items()} | others.keys
            if end is not None:
                keys = {folded: key for folded, key in keys.items() if folded <= end}
            await self._know(user, [folded for folded in keys if folded not in own.rooms and part in folded])
            for folded in sorted(keys):
                if len(found) > query.limit:
                    break
                if folded in own.rooms or (part in folded and self._policy(user, Action.JOIN, keys[folded])):
                    found[folded] = keys[folded]
            if end is None or len(found) > query.limit or not await _may_read_on(charge, found):
                break
            after, most = end, READ
        shown = list(found)[: query.limit]
        counts = await self._lists.counts([PREFIX + folded for folded in shown])
        settings = await self._settings([folded for folded in shown if folded not in mine])
        return RoomsPage(
            rooms=[
                _listed(found[folded], settings.get(folded), mine.get(folded), online)
                for folded, online in zip(shown, counts, strict=True)
            ],
            next=None if end is None and len(found) <= query.limit else shown[-1],
        )

    async def online(self, user: User, room: str, query: ListQuery, *, charge: Charge) -> OnlinePage:
        """Users who are online in a room. Raises `Forbidden` if `user` may not join it; also as `rooms` does."""
        await self._rooms.access.require(user, Action.JOIN, room)
        channel, part = channel_of(room), appearance(query.q)
        found: list[str] = []
        after, most = query.after, query.limit + 1
        while True:
            places = await self._lists.places(channel, after, most)
            found += [place for place in places if part in key_at(place) or part in appearance(name_at(place))]
            is_last = len(places) < most
            if is_last or len(found) > query.limit or not await _may_read_on(charge, found):
                break
            after, most = places[-1], READ
        shown = found[: query.limit]
        users = await self._lists.users(channel, shown)
        (online,) = await self._lists.counts([channel])
        here = self._rooms.at(channel)
        return OnlinePage(
            room=here.key if here is not None else room,
            online=len(users) if online is None else online,
            users=[OnlineUser.of(one) for one in users],
            next=None if is_last and len(found) <= query.limit else shown[-1],
        )

    async def _know(self, user: User, rooms: Sequence[str]) -> None:
        """Have the application's answers, if it says who is in the rooms. Raises `Unavailable`."""
        if self._rooms.access.application is not None:
            await asyncio.gather(*(self._rooms.access.know(user, room) for room in rooms))

    async def _own(self, user: User, after: str, part: str, most: int) -> _Own:
        """The private and direct rooms of a user that have `part` in their key or title, or in a name in a direct
        one."""
        if self._database is None or (user.guest and not user.identity):
            return _Own({}, None)
        read = partial(
            read_rooms_of,
            folded=fold(user.key),
            identity=user.identity,
            now=time.time_ns() // 1_000_000,
            after=after,
            most=most,
        )
        rooms = await self._database.read(read, never_deferred=True)
        found = {folded: one for folded, one in rooms.items() if _has(part, folded, one)}
        return _Own(found, list(rooms)[-1] if len(rooms) == most else None)

    async def _settings(self, folded: Sequence[str]) -> dict[str, SettingsRow]:
        if self._database is None or not folded:
            return {}
        return await self._database.read(partial(read_settings, folded=folded), never_deferred=True)

    async def _read(self, after: str, part: str, most: int) -> _Read:
        # With one node and no database nothing waits, and others must have their turn.
        await asyncio.sleep(0)
        keys: dict[str, str] = {}
        while True:
            span = _span(after)
            live, stored = await self._live(span, most), await self._stored(span, part, most)
            end = min((read.end for read in (live, stored) if read.end is not None), default=None)
            found = live.keys | stored.keys
            keys |= found if end is None else {folded: key for folded, key in found.items() if folded <= end}
            if end is not None or span.goes_on is None:
                return _Read(keys, end)
            after = span.goes_on

    async def _live(self, span: _Span, most: int) -> _Read:
        channels = await self._lists.channels(PREFIX + span.after, most)
        keys: dict[str, str] = {}
        for channel in channels:
            here = self._rooms.at(channel)
            folded = channel.removeprefix(PREFIX)
            if span.below is not None and folded >= span.below:
                return _Read(keys, None)
            # Only the nodes that have somebody there know how the key is spelled.
            keys[folded] = here.key if here is not None else folded
        return _Read(keys, channels[-1].removeprefix(PREFIX) if len(channels) == most else None)

    async def _stored(self, span: _Span, part: str, most: int) -> _Read:
        if self._database is None:
            return _Read({}, None)
        read = partial(
            read_keys, after=span.after, below=span.below, part=part, walked=WALKED if part else most, most=most
        )
        keys = await self._database.read(read, never_deferred=True)
        is_last = len(keys) < most if not part else not keys
        return _Read(keys, None if is_last else list(keys)[-1])


def _span(after: str) -> _Span:
    for prefix in sorted(RESTRICTED):
        # No key has the character after a colon.
        beyond = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        if after < prefix:
            return _Span(after, prefix, beyond)
        after = max(after, beyond)
    return _Span(after, None, None)


def _has(part: str, folded: str, room: OwnRoom) -> bool:
    names = (one.name for one in room.users or ())
    return any(part in text.lower() for text in (folded, room.settings.title or "", *names))


def _listed(key: str, settings: SettingsRow | None, own: OwnRoom | None, online: int | None) -> ListedRoom:
    settings = own.settings if own is not None else settings
    if settings is None:
        return ListedRoom(room=key, name=key, online=online)
    return ListedRoom(
        room=key,
        name=settings.title or key,
        title=settings.title or None,
        kind=cast(Literal["private", "direct"], settings.kind) if own is not None else None,
        archived=True if settings.archived else None,
        role=cast(RoomRole, own.role) if own is not None else None,
        users=own.users if own is not None else None,
        online=online,
    )


async def _may_read_on(charge: Charge, found: Sized) -> bool:
    """Charges for one more read. False if that would be too much: then what was found is the page. Raises `RateLimited`
    if nothing was found."""
    try:
        await charge()
    except RateLimited:
        if not found:
            raise
        return False
    return True
