"""All events, by their `type`.

Each event stands with the commands of its noun: `messages.py`, `rooms.py`, `typing.py`, `topics.py`, `connection.py`;
the answers that any command may get stand in `answers.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

from hubbub.wire.answers import Ack, ErrorEvent
from hubbub.wire.base import Event
from hubbub.wire.connection import Draining, PingEvent, PongEvent, Welcome
from hubbub.wire.members import Invited, Removed
from hubbub.wire.messages import ChangedEvent, HistoryPage, MessageEvent, Sync
from hubbub.wire.reports import ReportEvent
from hubbub.wire.rooms import Joined, JoinEvent, LeaveEvent, Online, RoomEvent
from hubbub.wire.topics import Following, NotificationEvent
from hubbub.wire.typing import TypingEvent

BUILT_IN: tuple[type[Event], ...] = (
    Welcome,
    Joined,
    MessageEvent,
    ChangedEvent,
    RoomEvent,
    Removed,
    Invited,
    ReportEvent,
    Sync,
    HistoryPage,
    JoinEvent,
    LeaveEvent,
    Online,
    TypingEvent,
    Following,
    NotificationEvent,
    Ack,
    PongEvent,
    PingEvent,
    Draining,
    ErrorEvent,
)


class EventTable:
    """The events that a server may send, by their `type`; applications add theirs, for the schema and the docs."""

    def __init__(self, models: tuple[type[Event], ...] = BUILT_IN) -> None:
        self._models: dict[str, type[Event]] = {}
        for model in models:
            self.register(model)

    def register(self, model: type[Event]) -> None:
        """Add an event. Raises ValueError if its `type` is taken, TypeError if it names no type."""
        name = model.type_name()
        if name in self._models:
            raise ValueError(f"an event of type {name!r} is registered already: {self._models[name].__name__}")
        self._models[name] = model

    def __iter__(self) -> Iterator[type[Event]]:
        return iter(self._models.values())

    def __contains__(self, type_name: object) -> bool:
        return type_name in self._models
