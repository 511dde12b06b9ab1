"""Who is typing. An indicator ends when its user stops typing, sends the message, or is silent for 6 seconds."""

from __future__ import annotations

from collections.abc import Callable

from hubbub.accounts.policies import Action, Policy, permit
from hubbub.broker.base import Broker
from hubbub.features.rooms.rooms import Room
from hubbub.wire.identity import User
from hubbub.wire.keys import fold
from hubbub.wire.publication import Publication
from hubbub.wire.typing import TypingEvent

EXPIRY = 6.0
"""Seconds."""

REPEAT = 3.0
"""An indicator that goes on is published again after this many seconds, for people who joined in between."""

SHOWN = 10
"""People whose typing is published in one room at a time. Clients show no more than that."""


class _Indicator:
    __slots__ = ("expires", "published")

    def __init__(self) -> None:
        self.expires = 0.0
        self.published = float("-inf")


class TypingIndicators:
    """Call `tick` about once a second. `clock` gives seconds that never jump."""

    def __init__(self, *, broker: Broker, policy: Policy, clock: Callable[[], float], expiry: float = EXPIRY) -> None:
        self._broker = broker
        self._policy = policy
        self._clock = clock
        self._expiry = expiry
        self._rooms: dict[Room, dict[str, tuple[User, _Indicator]]] = {}

    @property
    def are_shown(self) -> bool:
        """Whether anybody types, in any room."""
        return bool(self._rooms)

    def start(self, user: User, room: Room) -> None:
        """This user begins to type, or goes on. Raises `Forbidden` if the policy says no."""
        permit(self._policy, user, Action.TYPE, room.key)
        typing = self._rooms.setdefault(room, {})
        entry = typing.get(fold(user.key))
        if entry is None:
            if len(typing) >= SHOWN:
                return
            entry = typing[fold(user.key)] = (user, _Indicator())
        now = self._clock()
        indicator = entry[1]
        indicator.expires = now + self._expiry
        if now - indicator.published >= REPEAT:
            indicator.published = now
            self._publish(user, room, active=True)

    def stop(self, user: User, room: Room) -> None:
        """This user has stopped without sending a message."""
        if self._forget(user, room):
            self._publish(user, room, active=False)

    def sent(self, user: User, room: Room) -> None:
        """This user has sent the message. Clients end the indicator when it arrives, so nothing is published."""
        self._forget(user, room)

    def tick(self) -> None:
        """End the indicators whose users have been silent."""
        now = self._clock()
        for room, typing in list(self._rooms.items()):
            for user, indicator in list(typing.values()):
                if now >= indicator.expires:
                    self.stop(user, room)

    def _forget(self, user: User, room: Room) -> bool:
        typing = self._rooms.get(room)
        if typing is None or typing.pop(fold(user.key), None) is None:
            return False
        if not typing:
            del self._rooms[room]
        return True

    def _publish(self, user: User, room: Room, *, active: bool) -> None:
        event = TypingEvent(room=room.key, user=user.key, name=user.name, active=active)
        self._broker.publish(Publication(room.channel, event, ephemeral=True))
