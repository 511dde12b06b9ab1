"""Where rooms stand, said again and again: what the broker lost last would else be noticed by nobody.

A node repeats the heads of the rooms that it has changed lately. While the broker is away, and once after that, it asks
the store for the heads of the rooms that somebody here is in.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from hubbub.broker.base import Broker
from hubbub.errors import Unavailable
from hubbub.features.messages.log import RoomLog
from hubbub.features.messages.log_changes import Outcome
from hubbub.features.rooms.rooms import Room, channel_of
from hubbub.wire.publication import Publication

log = logging.getLogger("hubbub")

REPEATED = 10.0
"""Seconds for which a change's position is repeated."""
CHECKED = 500
"""Rooms whose heads one query asks for."""


class Heads:
    """Call `moved` for each commit of this node, and `tick` about once a second. `clock` gives seconds.

    `rooms` gives those that somebody here is in; `heard` takes the heads that the store knows.
    """

    def __init__(
        self,
        *,
        broker: Broker,
        log_of: Callable[[str], RoomLog | None],
        rooms: Iterable[Room],
        heard: Callable[[Publication], None],
        clock: Callable[[], float],
    ) -> None:
        self._broker = broker
        self._log_of = log_of
        self._rooms = rooms
        self._heard = heard
        self._clock = clock
        self._moved: dict[str, tuple[int, float]] = {}
        self._was_away = False
        self._unchecked: list[str] = []

    def moved(self, outcome: Outcome) -> None:
        """A change of a room is durable."""
        known, _ = self._moved.get(outcome.room, (0, 0.0))
        self._moved[outcome.room] = max(known, outcome.rev), self._clock()

    async def tick(self) -> None:
        self._repeat()
        await self._check()

    def _repeat(self) -> None:
        now = self._clock()
        if self._was_away:
            # The others hear of these changes when the broker is back, however long that takes.
            self._moved = {room: (rev, now) for room, (rev, _) in self._moved.items()}
        self._moved = {room: moved for room, moved in self._moved.items() if moved[1] > now - REPEATED}
        for room, (rev, _) in self._moved.items():
            self._broker.publish(Publication.head(channel_of(room), rev))

    async def _check(self) -> None:
        is_away = not self._broker.is_healthy()
        if is_away != self._was_away or (is_away and not self._unchecked):
            self._unchecked = [room.key for room in self._rooms]
        self._was_away = is_away
        asked, self._unchecked = self._unchecked[:CHECKED], self._unchecked[CHECKED:]
        stored = [room for room in asked if self._log_of(room) is not None]
        rooms_log = self._log_of(stored[0]) if stored else None
        if rooms_log is None:
            return
        try:
            heads = await rooms_log.heads(stored)
        except Unavailable as error:
            log.warning("where rooms stand cannot be read now: %s", error.message)
            self._unchecked = asked + self._unchecked
            return
        for head in heads:
            self._heard(Publication.head(channel_of(head.room), head.rev))
