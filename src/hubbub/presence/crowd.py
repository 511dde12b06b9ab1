"""The people in one channel, as one node knows them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from itertools import islice

from hubbub.wire.identity import OnlineUser, User
from hubbub.wire.rooms import USERS_IN_JOINED, USERS_OF_MANY

NAMED_UP_TO = 100
"""With more people than this, they are counted and no longer announced one by one: that would grow with the square of
the channel."""


class Crowd:
    """People by their folded keys, in the order in which they came. `many` is their number if this node does not know
    all of them; otherwise it is None.

    Change `people` only with `add`, `remove` and `replace`: `users` keeps what it has made.
    """

    __slots__ = ("_places", "_shown", "many", "people")

    def __init__(self) -> None:
        self.people: dict[str, User] = {}
        self.many: int | None = None
        self._shown: list[OnlineUser] | None = None
        self._places: list[str] | None = None
        """Sorted. It is made when somebody first asks, since most channels are never listed."""

    @property
    def online(self) -> int:
        return len(self.people) if self.many is None else self.many

    def users(self) -> list[OnlineUser]:
        """All of them, up to `USERS_IN_JOINED`; of more, the `USERS_OF_MANY` who came first."""
        if self._shown is None:
            most = USERS_IN_JOINED if self.online <= USERS_IN_JOINED else USERS_OF_MANY
            people = islice(self.people.values(), most)
            self._shown = [OnlineUser.of(user) for user in people]
        return self._shown

    def add(self, key: str, user: User) -> bool:
        """True if they were not there. Otherwise they are shown as `user` from now on."""
        known = self.people.get(key)
        self.people[key] = user
        if known is not None:
            if known != user:
                self._shown = None
                self._unplace(key, known)
                self._place(key, user)
            return False
        self._place(key, user)
        if len(self.people) <= USERS_IN_JOINED + 1:
            self._shown = None
        return True

    def looks_different(self, key: str, user: User) -> bool:
        """Whether they are there under another name, or with another colour."""
        known = self.people.get(key)
        return known is not None and (known.name != user.name or known.color != user.color)

    def remove(self, key: str) -> User | None:
        """Who it was; None if they were not there."""
        user = self.people.pop(key, None)
        if user is not None:
            self._shown = None
            self._unplace(key, user)
        return user

    def replace(self, people: dict[str, User], many: int | None) -> None:
        self.people = people
        self.many = many
        self._shown = None
        self._places = None

    def places(self, after: str, most: int) -> list[str]:
        """The first `most` places after this one, of the people that this node knows."""
        if self._places is None:
            self._places = sorted(place_of(key, user) for key, user in self.people.items())
        return page(self._places, after, most)

    def users_at(self, places: Sequence[str]) -> list[User]:
        """Who is at these places, without those who have gone since."""
        return [user for place in places if (user := self.people.get(key_at(place))) is not None]

    def _place(self, key: str, user: User) -> None:
        if self._places is not None:
            insort(self._places, place_of(key, user))

    def _unplace(self, key: str, user: User) -> None:
        if self._places is not None:
            del self._places[bisect_left(self._places, place_of(key, user))]


def place_of(key: str, user: User) -> str:
    """Where somebody stands in a list that is sorted by name: the name, then the folded key. `step.lua` makes the same,
    so only ASCII letters are made small."""
    return f"{user.name.encode().lower().decode()}\n{key}"


def name_at(place: str) -> str:
    return place.partition("\n")[0]


def key_at(place: str) -> str:
    return place.partition("\n")[2]


def page(ordered: list[str], after: str, most: int) -> list[str]:
    """The first `most` items after this one."""
    start = bisect_right(ordered, after)
    return ordered[start : start + most]
