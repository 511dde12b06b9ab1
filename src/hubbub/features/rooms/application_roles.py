"""What the application says of who is in its rooms: asked once for a user and a room, remembered, and asked again.

The application is never asked on a message's way. It is asked when somebody comes to a room, when it says that
something has changed, and for those who stay, each time that an answer has become old. An answer that cannot be had is
no answer: then nobody may do anything. This module knows no connections and no database.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator
from weakref import WeakValueDictionary

from hubbub.accounts.policies import Membership
from hubbub.accounts.roles import RoomRole, is_restricted
from hubbub.errors import Unavailable
from hubbub.wire.identity import User
from hubbub.wire.keys import fold

log = logging.getLogger("hubbub.hooks")

LASTS = 60.0
"""Seconds after which an answer is asked for again."""
TRUSTED = 3 * LASTS
"""Seconds after which an answer counts no more that could not be asked for again."""
TRUSTED_AFTER_A_CHANGE = 1.0
"""The same, once the application has said that it may be another one."""
KEPT = 10_000
"""Answers about people who are not in the room, at most."""
AT_ONCE = 32
"""Questions that the application is asked at the same time, at most."""
OF_ONE_USER = 4
"""How many of these may be about one user. Questions about some users may take long, and others must not wait."""
TRIES = 3

_Key = tuple[str, str, str]
"""A room and a user: their folded keys, and the user's identity."""


class _Answer:
    __slots__ = ("asked", "role", "room", "until", "user")

    def __init__(self, user: User, room: str, role: RoomRole | None, now: float) -> None:
        self.user = user
        self.room = room
        self.role = role
        self.asked = now
        self.until = now + TRUSTED


class _Flight:
    """A question, and how many wait for its answer."""

    __slots__ = ("task", "waiting")

    def __init__(self) -> None:
        self.task: asyncio.Task[RoomRole]
        self.waiting = 0


class ApplicationRoles:
    """`clock` gives seconds that never jump; `deadline` is how many of them the application has for an answer."""

    def __init__(self, membership: Membership, *, deadline: float, clock: Callable[[], float]) -> None:
        self._membership = membership
        self._deadline = deadline
        self._clock = clock
        self._here: OrderedDict[_Key, _Answer] = OrderedDict()
        """About those who are in the room on this node, by when they were asked for."""
        self._absent: OrderedDict[_Key, _Answer] = OrderedDict()
        self._flights: dict[_Key, _Flight] = {}
        self._outdated: set[_Key] = set()
        """Those of `_flights` whose answer may be older than a change."""
        self._places = asyncio.Semaphore(AT_ONCE)
        self._places_of: WeakValueDictionary[tuple[str, str], asyncio.Semaphore] = WeakValueDictionary()
        """Those of each user about whom there are questions."""

    @staticmethod
    def decides(folded: str) -> bool:
        """Whether the application says who is in the room with this folded key. It does, except for rooms that people
        have made here."""
        return not is_restricted(folded)

    def role_of(self, user: User, folded: str) -> RoomRole | None:
        """What a user is in a room; None if that is not known."""
        key = (folded, fold(user.key), user.identity)
        answer = self._here.get(key, self._absent.get(key))
        return answer.role if answer is not None and self._clock() < answer.until else None

    async def know(self, user: User, folded: str) -> RoomRole:
        """What a user is in a room, from memory, or asked now. Raises `Unavailable`."""
        key = (folded, fold(user.key), user.identity)
        known = self.role_of(user, folded)
        if known is not None and (key in self._here or self._clock() < self._absent[key].asked + LASTS):
            return known
        try:
            async with asyncio.timeout(self._deadline):
                return await self.ask(user, folded)
        except TimeoutError:
            raise _unknown(folded) from None

    async def ask(self, user: User, folded: str) -> RoomRole:
        """What a user is in a room, asked now. Those who ask at the same time share a question. If all of them stop
        waiting, it is not asked any more. Raises `Unavailable`."""
        key = (folded, fold(user.key), user.identity)
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight()
            flight.task = asyncio.ensure_future(self._fly(key, user, flight))
            flight.task.add_done_callback(_retrieve_exception)
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if not flight.waiting:
                self._end(key, flight)
                flight.task.cancel()

    # Who is in the rooms.

    def came(self, user: User, folded: str) -> None:
        """A user is in the room on this node from now on."""
        key = (folded, fold(user.key), user.identity)
        if key in self._absent:
            self._here[key] = self._absent.pop(key)
        elif key not in self._here:
            self._here[key] = _Answer(user, folded, None, self._clock())

    def went(self, user: User, folded: str) -> None:
        """A user is in the room on this node no more."""
        key = (folded, fold(user.key), user.identity)
        answer = self._here.pop(key, None)
        if answer is not None:
            self._keep(key, answer)

    # What becomes old.

    def due(self) -> Iterator[tuple[User, str, bool]]:
        """The people in rooms about whom the application should be asked again, each with the room, and with whether
        the last answer counts no more."""
        now = self._clock()
        for key, answer in list(self._here.items()):
            if now < answer.asked + LASTS:
                return
            answer.asked = now
            self._here.move_to_end(key)
            yield answer.user, answer.room, now >= answer.until

    def changed(self, room: str | None, user: str | None) -> list[tuple[User, str]]:
        """The application says that something is different in a room, for a user, or for a user in a room. Returns the
        people in rooms about whom it must be asked now. Keys are folded."""
        until = self._clock() + TRUSTED_AFTER_A_CHANGE

        def is_meant(key: _Key) -> bool:
            return (room is None or key[0] == room) and (user is None or key[1] == user)

        for key in [key for key in self._absent if is_meant(key)]:
            del self._absent[key]
        self._outdated |= {key for key in self._flights if is_meant(key)}
        again = [answer for key, answer in self._here.items() if is_meant(key)]
        for answer in again:
            answer.until = min(answer.until, until)
        return [(answer.user, answer.room) for answer in again]

    # Questions.

    async def _fly(self, key: _Key, user: User, flight: _Flight) -> RoomRole:
        places = self._places_of.setdefault(key[1:], asyncio.Semaphore(OF_ONE_USER))
        try:
            async with places, self._places:
                for _ in range(TRIES):
                    self._outdated.discard(key)
                    role = await self._question(user, key[0])
                    if key not in self._outdated:
                        break
                else:
                    raise _unknown(key[0])
        finally:
            self._end(key, flight)
        answer = _Answer(user, key[0], role, self._clock())
        if key in self._here:
            self._here[key] = answer
            self._here.move_to_end(key)
        else:
            self._keep(key, answer)
        return role

    def _end(self, key: _Key, flight: _Flight) -> None:
        """Who asks from now on does not get the answer of this flight."""
        if self._flights.get(key) is flight:
            del self._flights[key]
            self._outdated.discard(key)

    async def _question(self, user: User, room: str) -> RoomRole:
        try:
            async with asyncio.timeout(self._deadline):
                said = await self._membership(user, room)
        except TimeoutError:
            log.error("membership did not answer within %g s", self._deadline)  # noqa: TRY400 - no traceback of ours
            raise _unknown(room) from None
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) is None or task.cancelling():
                raise
            log.exception("membership was cancelled")
            raise _unknown(room) from None
        except Exception:
            log.exception("membership failed")
            raise _unknown(room) from None
        try:
            return RoomRole(said) if said is not None else RoomRole.NOBODY
        except ValueError:
            known = ", ".join(repr(role.value) for role in RoomRole)
            log.error("membership answered %.100r, and not None or one of %s", said, known)  # noqa: TRY400 - as above
            raise _unknown(room) from None

    def _keep(self, key: _Key, answer: _Answer) -> None:
        self._absent[key] = answer
        self._absent.move_to_end(key)
        while len(self._absent) > KEPT:
            self._absent.popitem(last=False)


def _unknown(room: str) -> Unavailable:
    return Unavailable("it cannot be known at the moment who may be in this room", room=room, retry_after=1000)


def _retrieve_exception(flight: asyncio.Task[RoomRole]) -> None:
    """If no caller waits any more, asyncio would log that the exception was never retrieved."""
    if not flight.cancelled():
        flight.exception()
