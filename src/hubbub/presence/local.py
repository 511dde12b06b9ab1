"""Presence for one node: only its own people are online."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence

from hubbub.presence.base import Audience
from hubbub.presence.crowd import NAMED_UP_TO, Crowd, page
from hubbub.wire.identity import User
from hubbub.wire.keys import fold

NOBODY = Crowd()


class LocalPresence:
    """Tells of each change at once, in the same turn of the event loop."""

    def __init__(self) -> None:
        self._audience: Audience | None = None
        self._crowds: dict[str, Crowd] = {}
        self._ordered: list[str] = []
        """The channels that have somebody, sorted."""

    @property
    def lists(self) -> LocalPresence:
        return self

    async def start(self, audience: Audience) -> None:
        self._audience = audience

    async def stop(self) -> None:
        self._audience = None
        self._crowds.clear()
        self._ordered.clear()

    def enter(self, channel: str, user: User) -> None:
        crowd = self._crowds.get(channel)
        if crowd is None:
            crowd = self._crowds[channel] = Crowd()
            insort(self._ordered, channel)
        key = fold(user.key)
        looks_different = crowd.looks_different(key, user)
        is_new = crowd.add(key, user)
        if not (is_new or looks_different) or self._audience is None:
            return
        online = len(crowd.people)
        if looks_different:
            self._audience.look_changed(channel, user, online)
        elif online > NAMED_UP_TO:
            self._audience.count_changed(channel)
        else:
            self._audience.user_joined(channel, user, online)

    def exit(self, channel: str, user: User) -> None:
        crowd = self._crowds.get(channel)
        if crowd is None or crowd.remove(fold(user.key)) is None:
            return
        online = len(crowd.people)
        if not online:
            del self._crowds[channel]
            del self._ordered[bisect_left(self._ordered, channel)]
        elif self._audience is None:
            return
        elif online >= NAMED_UP_TO:
            self._audience.count_changed(channel)
        else:
            self._audience.user_left(channel, user, online)

    def crowd(self, channel: str) -> Crowd:
        return self._crowds.get(channel, NOBODY)

    async def ask(self, channel: str) -> Crowd:
        return self._crowds.get(channel, NOBODY)

    @property
    def problem(self) -> str | None:
        return None

    # The lists.

    async def channels(self, after: str, most: int) -> list[str]:
        return page(self._ordered, after, most)

    async def counts(self, channels: Sequence[str]) -> list[int | None]:
        return [self.crowd(channel).online for channel in channels]

    async def places(self, channel: str, after: str, most: int) -> list[str]:
        return self.crowd(channel).places(after, most)

    async def users(self, channel: str, places: Sequence[str]) -> list[User]:
        return self.crowd(channel).users_at(places)
