"""Saying something in a room."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hubbub.accounts.policies import Action, Policy
from hubbub.broker.base import Broker
from hubbub.chat.rooms import Room
from hubbub.errors import Forbidden
from hubbub.wire.events import MessageEvent, timestamp
from hubbub.wire.identity import User
from hubbub.wire.publication import Publication

SYSTEM = User("system", "System")
"""Who speaks when the application does."""


class Messages:
    """Sends messages to rooms. `clock` gives seconds since 1970."""

    def __init__(self, *, broker: Broker, policy: Policy, clock: Callable[[], float]) -> None:
        self._broker = broker
        self._policy = policy
        self._clock = clock

    def send(
        self, user: User, room: Room, text: str, *, key: str | None = None, data: dict[str, Any] | None = None
    ) -> MessageEvent:
        """A user says something. Raises `Forbidden` if the policy does not let them speak here."""
        if not self._policy(user, Action.SEND, room.key):
            raise Forbidden(f"you may not speak in room {room.key!r}", room=room.key)
        event = MessageEvent(
            room=room.key, user=user.key, name=user.name, text=text, ts=timestamp(self._clock()), key=key, data=data
        )
        self._broker.publish(Publication(room.channel, event))
        return event

    def announce(self, room: str, channel: str, text: str, *, data: dict[str, Any] | None = None) -> MessageEvent:
        """The application says something to everybody in a room, if there is anybody."""
        event = MessageEvent(
            room=room,
            user=SYSTEM.key,
            name=SYSTEM.name,
            kind="system",
            text=text,
            ts=timestamp(self._clock()),
            data=data,
        )
        self._broker.publish(Publication(channel, event))
        return event
