"""Who is typing. An indicator ends when its user stops typing, sends the message, or is silent for 6 seconds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from hubbub.accounts.policies import Action, Policy, permit
from hubbub.broker.base import Broker
from hubbub.features.rooms.rooms import Room
from hubbub.shared_limits.base import SharedLimits
from hubbub.wire.identity import User
from hubbub.wire.keys import fold
from hubbub.wire.publication import Publication
from hubbub.wire.typing import TypingEvent

EXPIRY = 6.0
"""Seconds."""

REPEAT = 3.0
"""An indicator that goes on is published again after this many seconds, for people who joined in between."""

SHOWN = 10
"""People whose typing is published in one room at a time, on all nodes together. Clients show no more than that."""


class _Indicator:
    __slots__ = ("expires", "is_shown", "published")

    def __init__(self, now: float) -> None:
        self.expires = 0.0
        self.published = now
        self.is_shown = False
        """False until the other nodes have left room for it."""


class TypingIndicators:
    """Call `tick` about once a second. `clock` gives seconds that never jump."""

    def __init__(
        self,
        *,
        broker: Broker,
        policy: Policy,
        limits: SharedLimits,
        clock: Callable[[], float],
        expiry: float = EXPIRY,
    ) -> None:
        self._broker = broker
        self._policy = policy
        self._limits = limits
        self._clock = clock
        self._expiry = expiry
        self._rooms: dict[Room, dict[str, tuple[User, _Indicator]]] = {}

    @property
    def are_shown(self) -> bool:
        """Whether anybody types, in any room."""
        return bool(self._rooms)

    def start(self, user: User, room: Room) -> Awaitable[None] | None:
        """This user begins to type, or goes on. Await what is returned: then the other nodes have to be asked. Raises
        `Forbidden` if the policy says no."""
        permit(self._policy, user, Action.TYPE, room.key)
        now = self._clock()
        typing = self._rooms.setdefault(room, {})
        entry = typing.get(fold(user.key))
        if entry is not None:
            indicator = entry[1]
            indicator.expires = now + self._expiry
            if indicator.is_shown and now - indicator.published >= REPEAT:
                indicator.published = now
                self._publish(user, room, active=True)
            return None
        if len(typing) >= SHOWN:
            return None
        indicator = _Indicator(now)
        indicator.expires = now + self._expiry
        typing[fold(user.key)] = (user, indicator)
        if self._limits.reaches_others:
            return self._show_if_it_may(user, room, indicator)
        self._show(user, room, indicator)
        return None

    async def _show_if_it_may(self, user: User, room: Room, indicator: _Indicator) -> None:
        may_be_shown = await self._limits.enter(_limit_of(room), SHOWN)
        _, current = self._rooms.get(room, {}).get(fold(user.key), (user, None))
        if current is not indicator:
            # It has ended in the meantime.
            if may_be_shown:
                self._limits.leave(_limit_of(room))
        elif may_be_shown:
            self._show(user, room, indicator)
        else:
            self._forget(user, room)

    def _show(self, user: User, room: Room, indicator: _Indicator) -> None:
        indicator.is_shown = True
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
        """Whether an indicator was shown that is over now."""
        typing = self._rooms.get(room)
        entry = typing.pop(fold(user.key), None) if typing is not None else None
        if entry is None:
            return False
        if not typing:
            del self._rooms[room]
        _, indicator = entry
        if indicator.is_shown and self._limits.reaches_others:
            self._limits.leave(_limit_of(room))
        return indicator.is_shown

    def _publish(self, user: User, room: Room, *, active: bool) -> None:
        event = TypingEvent(room=room.key, user=user.key, name=user.name, active=active)
        self._broker.publish(Publication(room.channel, event, ephemeral=True))


def _limit_of(room: Room) -> str:
    return f"typing {room.key}"
