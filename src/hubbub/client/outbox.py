"""The commands of this client that have no answer yet.

The outbox knows commands and their answers. It knows no sockets and no clock: it is told the time, in seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from hubbub.client.backoff import Backoff
from hubbub.wire.base import Command
from hubbub.wire.connection import Limits
from hubbub.wire.keys import fold
from hubbub.wire.members import Create


@dataclass(slots=True)
class _Entry:
    id: str
    command: Command
    room: str | None
    backoff: Backoff
    in_flight: bool = False
    not_before: float = 0.0


class Outbox:
    """Commands in the order in which they were asked for. Each stays until it has its final answer, or is withdrawn.

    After a reconnect, all commands without an answer are sent again, as they were. That does no harm: a message has a
    key, and other changes say what the state should be, not what to do.
    """

    def __init__(self, make_backoff: Callable[[], Backoff]) -> None:
        self._make_backoff = make_backoff
        self._entries: dict[str, _Entry] = {}
        self._in_flight = 0

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, id: str, command: Command) -> None:
        # The room of a `create` is not there yet.
        room = getattr(command, "room", None) if not isinstance(command, Create) else None
        self._entries[id] = _Entry(
            id,
            command.model_copy(update={"id": id}),
            fold(room) if room is not None else None,
            self._make_backoff(),
        )

    def __contains__(self, id: str) -> bool:
        return id in self._entries

    def remove(self, id: str) -> None:
        """Remove a command: it has its final answer, or nobody waits for one any more."""
        entry = self._entries.pop(id, None)
        if entry is not None and entry.in_flight:
            self._in_flight -= 1

    def command(self, id: str) -> Command:
        return self._entries[id].command

    def of_room(self, folded: str) -> list[str]:
        """The ids of the commands that are about a room."""
        return [entry.id for entry in self._entries.values() if entry.room == folded]

    def ids(self) -> list[str]:
        return list(self._entries)

    def disconnected(self) -> None:
        """The connection is lost. The commands in flight may or may not have been done."""
        for entry in self._entries.values():
            entry.in_flight = False
        self._in_flight = 0

    def postpone(self, id: str, now: float, retry_after: float | None) -> None:
        """The server cannot do it now. The command is sent again after `retry_after` seconds, or after a wait of our
        own."""
        entry = self._entries[id]
        if entry.in_flight:
            entry.in_flight = False
            self._in_flight -= 1
        entry.not_before = now + (retry_after if retry_after is not None else entry.backoff.next())

    def due(self, now: float, rooms: Iterable[str], *, most: int) -> Iterator[Command]:
        """The commands to send now: those of the given rooms, and those of no room, with at most `most` unanswered in
        all.

        Taking one from the iterator puts it in flight.
        """
        here = set(rooms)
        held: set[str | None] = set()
        for entry in self._entries.values():
            if self._in_flight >= most:
                return
            if entry.in_flight or (entry.room is not None and entry.room not in here) or entry.room in held:
                continue
            if now < entry.not_before:
                # Later commands of the same room must not overtake it.
                held.add(entry.room)
                continue
            entry.in_flight = True
            self._in_flight += 1
            yield entry.command

    def next_due(self, now: float) -> float | None:
        """When a postponed command may be sent again; None if none is postponed."""
        times = [entry.not_before for entry in self._entries.values() if not entry.in_flight]
        return min((time for time in times if time > now), default=None)


class Pace:
    """How fast this client may send, so that a server seldom has to say that it is too fast.

    The generic cell rate algorithm (ITU-T I.371, annex A) with the server's rate and half of its burst. The other half
    is for frames that the network delivers close together.
    """

    def __init__(self) -> None:
        self._arrival = 0.0
        self._interval = 0.0
        self._slack = 0.0

    def begin(self, limits: Limits, now: float) -> None:
        """A new connection, with a full burst."""
        self._arrival = now
        self._interval = 1 / limits.rate
        self._slack = max(0.0, (limits.burst // 2 - 1) * self._interval)

    def due(self) -> float:
        """When the next command may be sent."""
        return self._arrival - self._slack

    def sent(self, now: float) -> None:
        self._arrival = max(self._arrival, now) + self._interval

    def too_fast(self, now: float, retry_after: float | None) -> None:
        """The server has received more at once than we sent at once, so our burst is used up. If an application's own
        rule asks for a longer wait, a minute perhaps, only the command that broke the rule waits.
        """
        wait = self._interval if retry_after is None else min(retry_after, self._interval)
        self._arrival = max(self._arrival, now + self._slack + wait)
