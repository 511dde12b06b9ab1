"""Which function does which command. Applications add theirs here; the built-in ones are added the same way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from hubbub.hub.connection import Connection
from hubbub.node import Node
from hubbub.wire.commands import Command, CommandTable
from hubbub.wire.events import Event, EventTable

NodeSource = Callable[[], Node]
"""Gives the running node. Commands are registered before there is one. Raises `NotStarted` while there is none."""


class Answered:
    """A handler returns this when it has sent its answers by itself."""


ANSWERED = Answered()

Answer = Event | Answered | None
"""A reply, or None for a plain `ack`."""

Handler = Callable[[Connection, Any], Answer | Awaitable[Answer]]
"""A future is as good as a coroutine, and needs no task."""


@dataclass(frozen=True, slots=True)
class Registration:
    handler: Handler
    in_order: bool
    """Whether the connection's later commands wait until this one is done."""


class Registry:
    """The commands that are understood, the events that are sent, and who handles what."""

    def __init__(self) -> None:
        self.commands = CommandTable(())
        self.events = EventTable()
        self._registrations: dict[type[Command], Registration] = {}

    def add(self, model: type[Command], handler: Handler, *, in_order: bool = False) -> None:
        """Let `handler` do this command. Raises ValueError if its `type` is taken, TypeError if it names none."""
        self.commands.register(model)
        self._registrations[model] = Registration(handler, in_order)

    def of(self, command: Command) -> Registration:
        return self._registrations[type(command)]
