"""Lists for people to read: the rooms that one may join, and who is online in one of them.

A list is read page by page, from keys and names that are sorted already, so no page costs more for being a late one.
Rooms come from two places, the database and presence, since people may be in a room that stores nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sized
from functools import partial
from typing import NamedTuple

from hubbub.accounts.policies import Action, permit
from hubbub.errors import RateLimited
from hubbub.features.feature import Services
from hubbub.features.rooms.room_keys import read_keys
from hubbub.features.rooms.rooms import PREFIX, Rooms, channel_of
from hubbub.presence.crowd import key_at, name_at
from hubbub.wire.identity import OnlineUser, User
from hubbub.wire.keys import appearance, fold
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
        part = fold(query.q)
        keys, end = await self._read(fold(query.after), part, query.limit + 1)
        while True:
            for folded in sorted(keys):
                if part in folded and len(found) <= query.limit and self._policy(user, Action.JOIN, keys[folded]):
                    found[folded] = keys[folded]
            if end is None or len(found) > query.limit or not await _may_read_on(charge, found):
                break
            keys, end = await self._read(end, part, READ)
        shown = list(found)[: query.limit]
        counts = await self._lists.counts([PREFIX + folded for folded in shown])
        return RoomsPage(
            rooms=[
                ListedRoom(room=found[folded], name=found[folded], online=online)
                for folded, online in zip(shown, counts, strict=True)
            ],
            next=None if end is None and len(found) <= query.limit else shown[-1],
        )

    async def online(self, user: User, room: str, query: ListQuery, *, charge: Charge) -> OnlinePage:
        """Users who are online in a room. Raises `Forbidden` if `user` may not join it; also as `rooms` does."""
        permit(self._policy, user, Action.JOIN, room)
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
            users=[OnlineUser(user=one.key, name=one.name, guest=one.guest or None) for one in users],
            next=None if is_last and len(found) <= query.limit else shown[-1],
        )

    async def _read(self, after: str, part: str, most: int) -> _Read:
        # With one node and no database nothing waits, and others must have their turn.
        await asyncio.sleep(0)
        live, stored = await self._live(after, most), await self._stored(after, part, most)
        end = min((read.end for read in (live, stored) if read.end is not None), default=None)
        keys = live.keys | stored.keys
        return _Read(keys if end is None else {folded: key for folded, key in keys.items() if folded <= end}, end)

    async def _live(self, after: str, most: int) -> _Read:
        channels = await self._lists.channels(PREFIX + after, most)
        keys = {}
        for channel in channels:
            here = self._rooms.at(channel)
            folded = channel.removeprefix(PREFIX)
            # Only the nodes that have somebody there know how the key is spelled.
            keys[folded] = here.key if here is not None else folded
        return _Read(keys, channels[-1].removeprefix(PREFIX) if len(channels) == most else None)

    async def _stored(self, after: str, part: str, most: int) -> _Read:
        if self._database is None:
            return _Read({}, None)
        read = partial(read_keys, after=after, part=part, walked=WALKED if part else most, most=most)
        keys = await self._database.read(read, never_deferred=True)
        is_last = len(keys) < most if not part else not keys
        return _Read(keys, None if is_last else list(keys)[-1])


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
