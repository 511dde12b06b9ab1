"""The feature of typing: who types in which room."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Iterable

from hubbub.delivery.connection import Connection
from hubbub.dispatch.registry import Registration, Unasked
from hubbub.features.feature import Feature, Services
from hubbub.features.jobs import Job
from hubbub.features.rooms.feature import RoomsFeature
from hubbub.features.rooms.rooms import Room, channel_of
from hubbub.features.typing.typing_indicators import TypingIndicators
from hubbub.wire.identity import User
from hubbub.wire.typing import Typing

TICK = 1.0


class TypingFeature(Feature):
    def __init__(self, rooms: RoomsFeature) -> None:
        self._rooms = rooms
        self.indicators: TypingIndicators

    def open(self, services: Services) -> None:
        super().open(services)
        self.indicators = TypingIndicators(
            broker=services.broker, policy=services.policy, limits=services.limits, clock=time.monotonic
        )

    def commands(self) -> Iterable[Registration]:
        reason = "everybody may stop typing; `TypingIndicators.start` asks before somebody begins"
        yield Registration(Typing, self.type, asks=Unasked(reason), place=self._rooms.room_of)

    def type(self, connection: Connection, command: Typing, room: Room) -> Awaitable[None] | None:
        if command.active:
            return self.indicators.start(connection.user, room)
        self.indicators.stop(connection.user, room)
        return None

    def sent(self, user: User, room: str) -> None:
        """Sending a message ends the indicator."""
        if self.indicators.are_shown:
            found = self._rooms.rooms.at(channel_of(room))
            if found is not None:
                self.indicators.sent(user, found)

    def left(self, connection: Connection, room: str) -> None:
        """Leaving the room ends it too, if the user has no other connection there."""
        if not self.indicators.are_shown:
            return
        found = self._rooms.rooms.at(channel_of(room))
        if found is not None and not found.is_here(connection.user):
            self.indicators.stop(connection.user, found)

    def jobs(self) -> Iterable[Job]:
        yield Job(TICK, self.indicators.tick)
