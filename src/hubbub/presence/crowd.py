"""The people in one channel, as one node knows them."""

from __future__ import annotations

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

    __slots__ = ("_shown", "many", "people")

    def __init__(self) -> None:
        self.people: dict[str, User] = {}
        self.many: int | None = None
        self._shown: list[OnlineUser] | None = None

    @property
    def online(self) -> int:
        return len(self.people) if self.many is None else self.many

    def users(self) -> list[OnlineUser]:
        """All of them, up to `USERS_IN_JOINED`; of more, the `USERS_OF_MANY` who came first."""
        if self._shown is None:
            most = USERS_IN_JOINED if self.online <= USERS_IN_JOINED else USERS_OF_MANY
            people = islice(self.people.values(), most)
            self._shown = [OnlineUser(user=user.key, name=user.name, guest=user.guest or None) for user in people]
        return self._shown

    def add(self, key: str, user: User) -> bool:
        """True if they were not there. Otherwise they are shown as `user` from now on."""
        known = self.people.get(key)
        self.people[key] = user
        if known is not None:
            if known != user:
                self._shown = None
            return False
        if len(self.people) <= USERS_IN_JOINED + 1:
            self._shown = None
        return True

    def remove(self, key: str) -> User | None:
        """Who it was; None if they were not there."""
        user = self.people.pop(key, None)
        if user is not None:
            self._shown = None
        return user

    def replace(self, people: dict[str, User], many: int | None) -> None:
        self.people = people
        self.many = many
        self._shown = None
