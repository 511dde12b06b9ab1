"""Who may be in which room, in this node's memory: the answer to every question about an action in a room.

A room's settings and people are read when somebody comes to it, and kept as long as somebody is there. They change with
the `room` events of its log, before the event is delivered. So who was removed gets nothing that comes after the
removal, on any node. What adds rights is read from the database again.

Rooms without settings cost one look-up here. The transaction that writes asks once more (`features/messages`): this
memory may be older than the database.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice
from typing import Any

from hubbub.accounts.policies import (
    ON_SERVER,
    SCOPE_OF,
    Action,
    Policy,
    allow_everybody,
    may_as,
    may_in_public,
    may_in_room,
    refusal,
)
from hubbub.accounts.roles import RESTRICTED, RoomKind, RoomRole, Standing, is_restricted, role_in_public
from hubbub.errors import Unavailable
from hubbub.features.rooms.access_rows import PersonRow, Read, SettingsRow, is_member, read_access
from hubbub.features.rooms.application_roles import ApplicationRoles
from hubbub.presence.crowd import key_at, name_at, place_of
from hubbub.store.database import Database
from hubbub.wire.base import timestamp_of
from hubbub.wire.identity import User
from hubbub.wire.keys import appearance, fold
from hubbub.wire.members import FOR_EVER, MembersPage, RoomFields, RoomMember, milliseconds
from hubbub.wire.rooms import ListQuery

KEPT = 1000
"""Rooms that nobody here is in, and whose people are remembered nevertheless."""
READS = 3
"""How often a room is read again because what was read is older than what this node has heard of."""


class _Person(Standing):
    __slots__ = ("color", "identity", "key", "name")

    def __init__(self, row: PersonRow) -> None:
        super().__init__(RoomRole(row.role), row.muted, row.banned)
        self.key = row.key
        self.identity = row.identity
        self.name = row.name
        self.color = row.color

    def is_something(self, now: int) -> bool:
        return self.role is not RoomRole.NOBODY or max(self.muted, self.banned) > now

    def shown(self, now: int) -> RoomMember:
        return RoomMember(
            user=self.key,
            name=self.name,
            guest=True if self.identity else None,
            color=self.color,
            role=self.role.value,
            muted=end_of(self.muted) if self.muted > now else None,
            banned=end_of(self.banned) if self.banned > now else None,
        )


class Access:
    """What is stored about a room: its settings, and who is what in it."""

    __slots__ = ("_places", "archived", "changed", "description", "key", "kind", "people", "slow", "title")

    def __init__(self, settings: SettingsRow, people: Iterable[PersonRow]) -> None:
        self.key = settings.key
        self.kind = RoomKind(settings.kind)
        self.title = settings.title
        self.description = settings.description
        self.archived = bool(settings.archived)
        self.slow = settings.slow
        self.changed = settings.changed
        self.people: dict[str, _Person] = {fold(row.key): _Person(row) for row in people}
        self._places: list[str] | None = None
        """The people in the order of a list, made when somebody first asks for a page."""

    def standing(self, user: User) -> Standing | None:
        if user.guest and not user.identity:
            # Nobody knows which guest this is: a request that shows no secret.
            return None
        person = self.people.get(fold(user.key))
        return person if person is not None and person.identity == user.identity else None

    def may(self, user: User, action: Action, given: RoomRole | None = None) -> bool:
        """`given` is the role that the application gives, if it says who is in the room."""
        now = time.time_ns() // 1_000_000
        return may_in_room(self.kind, user, self.standing(user), action, archived=self.archived, now=now, given=given)

    def role_of(self, user: User) -> RoomRole:
        standing = self.standing(user)
        given = standing.role if standing is not None else RoomRole.NOBODY
        return role_in_public(user, given) if self.kind is RoomKind.PUBLIC else given

    def fields(self) -> dict[str, Any]:
        """What `joined` and `sync` say of the room; `RoomFields` without what is not set."""
        return {
            "kind": self.kind.value,
            "title": self.title,
            "description": self.description,
            "archived": self.archived or None,
            "slow": self.slow or None,
        }

    def members(self) -> list[RoomMember]:
        """Those who have a role, or are muted or banned now."""
        now = time.time_ns() // 1_000_000
        return [one.shown(now) for one in self.people.values() if one.is_something(now)]

    def page(self, query: ListQuery) -> MembersPage:
        """Some of them, by their names, with what is said about the room."""
        now, part, found = time.time_ns() // 1_000_000, appearance(query.q), list[str]()
        if self._places is None:
            self._places = sorted(place_of(key, User(one.key, one.name)) for key, one in self.people.items())
        for place in islice(self._places, bisect_right(self._places, query.after), None):
            is_asked = not part or part in key_at(place) or part in appearance(name_at(place))
            if is_asked and self.people[key_at(place)].is_something(now):
                found.append(place)
            if len(found) > query.limit:
                break
        shown = found[: query.limit]
        return MembersPage(
            room=self.key,
            rev=self.changed,
            members=[self.people[key_at(place)].shown(now) for place in shown],
            next=shown[-1] if len(found) > len(shown) else None,
            **self.fields(),
        )

    def seen(self, user: User) -> None:
        person = self.people.get(fold(user.key))
        if person is not None and person.identity == user.identity:
            if person.name != user.name:
                self._places = None
            person.name, person.color = user.name, user.color

    def apply(self, fields: RoomFields, members: Iterable[Any]) -> None:
        """Apply a `room` event. Somebody who is not known here yet is read from the database later."""
        for name in ("title", "description", "archived", "slow"):
            if (value := getattr(fields, name)) is not None:
                setattr(self, name, value)
        for member in members:
            person = self.people.get(fold(member.user))
            if person is not None:
                if member.role is not None:
                    person.role = RoomRole(member.role)
                person.muted = until(member.muted)
                person.banned = until(member.banned)


def end_of(moment: int) -> str:
    """A time in milliseconds as the wire says until when."""
    return "for_ever" if moment == FOR_EVER else timestamp_of(moment)


def until(end: str | None) -> int:
    """The opposite of `end_of`; 0 for None."""
    if end is None:
        return 0
    return FOR_EVER if end == "for_ever" else milliseconds(end)


class Accesses:
    """The rooms with settings that this node knows. `is_here` says whether this node follows the log of a room with
    this folded key, and has read its settings since: then its `room` events come here. `learned` is called with a
    room's key when something else was read about it than was known. `application` answers for the rooms whose people
    the application knows."""

    def __init__(
        self,
        database: Database | None,
        policy: Policy,
        *,
        is_here: Callable[[str], bool],
        learned: Callable[[str], None] = lambda _: None,
        application: ApplicationRoles | None = None,
    ) -> None:
        self._database = database
        self.application = application
        self._policy = None if policy is allow_everybody else policy
        self._is_here = is_here
        self._learned = learned
        self._known: dict[str, Access] = {}
        self._absent: OrderedDict[str, None] = OrderedDict()
        """Those of `_known` that nobody here is in, the oldest first."""
        self._heard: dict[str, int] = {}
        """The rev of the latest `room` event, until the room was read at that rev."""
        self._flights: dict[str, asyncio.Task[Access | None]] = {}
        self.is_behind = False
        """Whether this node may have missed that somebody was removed. Then nobody may read in closed rooms."""

    def permits(self, user: User, action: Action, where: str) -> bool:
        """Whether a user may do this, as far as this node knows: a `Policy`. It waits for nothing."""
        if user.scopes is not None and SCOPE_OF.get(action) not in user.scopes:
            return False
        folded = fold(where)
        access = self._known.get(folded)
        if self.application is not None and action not in ON_SERVER and self.application.decides(folded):
            given = self.application.role_of(user, folded)
            if given is None or given is RoomRole.NOBODY:
                return False
            by_role, is_open = (access.may(user, action, given) if access else may_as(given, action)), True
        elif access is None and not folded.startswith(RESTRICTED):
            by_role, is_open = may_in_public(user, action), True
        elif action in ON_SERVER:
            # A topic may have the same key as a room.
            by_role, is_open = may_in_public(user, action), False
        elif access is not None:
            by_role, is_open = access.may(user, action), access.kind is RoomKind.PUBLIC
        else:
            return False
        policy = self._policy
        if policy is None:
            return by_role
        if action is Action.MODERATE and is_open and not by_role:
            return policy(user, action, where)
        return by_role and policy(user, action, where)

    def at(self, room: str) -> Access | None:
        """What this node knows of a room with settings."""
        return self._known.get(fold(room))

    def moderators_of(self, room: str) -> list[str]:
        """The keys of those who own or moderate a room with settings that this node knows."""
        access = self.at(room)
        people = access.people.values() if access is not None else ()
        return [one.key for one in people if one.role in {RoomRole.OWNER, RoomRole.MODERATOR}]

    def role_of(self, user: User, room: str) -> RoomRole:
        """What a user is in a room, as far as this node knows."""
        given = self.given(user, room)
        if given is not None:
            return given
        access = self.at(room)
        if access is not None:
            return access.role_of(user)
        return RoomRole.NOBODY if is_restricted(fold(room)) else role_in_public(user)

    def given(self, user: User, room: str) -> RoomRole | None:
        """The role that the application gives a user; None if it does not say who is in this room."""
        folded = fold(room)
        if self.application is None or not self.application.decides(folded):
            return None
        return self.application.role_of(user, folded) or RoomRole.NOBODY

    def is_closed(self, folded: str) -> bool:
        """Whether only some people may know anything of the room with this folded key."""
        return is_restricted(folded) or self.application is not None

    async def know(self, user: User, room: str) -> None:
        """Have the application's answer in memory, if it says who is in the room. Raises `Unavailable`, also while this
        node is behind and the room is closed."""
        folded = fold(room)
        if self.is_behind and self.is_closed(folded):
            raise Unavailable("it cannot be known at the moment who may be in this room", room=room, retry_after=1000)
        if self.application is not None and self.application.decides(folded):
            await self.application.know(user, folded)

    async def require(self, user: User, action: Action, room: str) -> Access | None:
        """Ask about a room that this node may not know, for a request or a join. For somebody who is no member, the
        work is the same whether the room exists or not, and how many people are in it.

        Raises `Forbidden` and `Unavailable`.
        """
        folded = fold(room)
        await self.know(user, room)
        if folded in self._heard or not self._is_here(folded) or not self.permits(user, action, room):
            if is_restricted(folded) and not await self._is_member(user, folded):
                raise refusal(action, room)
            await self.read(room)
        if not self.permits(user, action, room):
            raise refusal(action, room)
        return self._known.get(folded)

    async def _is_member(self, user: User, folded: str) -> bool:
        if self._database is None:
            return False
        return await self._database.read(partial(is_member, room=folded, user=user), never_deferred=True)

    async def confirm(self, user: User, room: str) -> None:
        """Ask again after rows of the room were read: they may be newer than what this node has heard of. Raises
        `Forbidden` and `Unavailable`."""
        if self.at(room) is not None or self.is_closed(fold(room)):
            await self.know(user, room)
            await self.read(room)
            if not self.permits(user, Action.READ, room):
                raise refusal(Action.READ, room)

    async def read(self, room: str) -> Access | None:
        """Read a room's settings and people from the database now. Those who ask at the same time share a query, if it
        begins after they ask. Raises `Unavailable`."""
        folded = fold(room)
        if self._database is None:
            return None
        flight = self._flights.get(folded)
        if flight is not None:
            await asyncio.wait({flight})
        flight = self._flights.get(folded)
        if flight is None:
            flight = self._flights[folded] = asyncio.ensure_future(self._fly(self._database, folded))
            flight.add_done_callback(_retrieve_exception)
        return await asyncio.shield(flight)

    async def _fly(self, database: Database, folded: str) -> Access | None:
        try:
            for _ in range(READS):
                found = await database.read(partial(read_access, room=folded), never_deferred=True)
                if found is None or found[0].changed >= self._heard.get(folded, 0):
                    break
            return self._learn(folded, found)
        finally:
            del self._flights[folded]

    def _learn(self, folded: str, found: Read | None) -> Access | None:
        self._heard.pop(folded, None)
        before = self._known.get(folded)
        if found is None:
            self.forget(folded)
            return None
        access = self._known[folded] = Access(*found)
        if self._is_here(folded):
            if before is None or before.changed != access.changed:
                self._learned(folded)
        else:
            self._absent[folded] = None
            self._absent.move_to_end(folded)
            while len(self._absent) > KEPT:
                self.forget(self._absent.popitem(last=False)[0])
        return access

    def heard(self, room: str, rev: int, fields: RoomFields, members: Iterable[Any]) -> None:
        """A `room` event with this rev is about to be delivered. What it takes away is gone when this returns."""
        folded = fold(room)
        self._heard[folded] = max(rev, self._heard.get(folded, 0))
        access = self._known.get(folded)
        if access is not None:
            access.apply(fields, members)

    def seen(self, folded: str, user: User) -> None:
        """A user has come, on any node, perhaps under another name or with another colour."""
        access = self._known.get(folded)
        if access is not None:
            access.seen(user)

    def came(self, folded: str) -> None:
        """Somebody on this node is in the room from now on."""
        self._absent.pop(folded, None)

    def went(self, folded: str) -> None:
        """Nobody on this node is in the room any more."""
        self._heard.pop(folded, None)
        self.forget(folded)

    def forget(self, folded: str) -> None:
        """Read the room again when it is asked about."""
        self._known.pop(folded, None)
        self._absent.pop(folded, None)

    def forget_absent(self) -> None:
        """The same for all rooms that nobody here is in."""
        for folded in list(self._absent):
            self.forget(folded)


def _retrieve_exception(flight: asyncio.Task[Access | None]) -> None:
    """If no caller waits any more, asyncio would log that the exception was never retrieved."""
    if not flight.cancelled():
        flight.exception()
