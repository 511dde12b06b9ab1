"""Which function does which command. Applications add theirs here; the built-in ones are added the same way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from hubbub.delivery.connection import Connection
from hubbub.wire.commands import Command, CommandTable
from hubbub.wire.events import Event, EventTable


class Answered:
    """A handler returns this when it has sent its answers by itself."""


ANSWERED = Answered()

Answer = Event | Answered | None
"""A reply, or None for a plain `ack`."""


class Later:
    """An answer that comes later, without a task and without a turn of the event loop: for the commands that come
    thousands of times a second. `give` it the answer, or the exception in its place; the first one counts. `then` says
    to whom, for one that is not `given` yet."""

    __slots__ = ("_taker", "given")

    def __init__(self) -> None:
        self._taker: Callable[[Answer | Exception], None] | None = None
        self.given: tuple[Answer | Exception] | None = None

    def give(self, answer: Answer | Exception) -> None:
        if self.given is not None:
            return
        self.given = (answer,)
        if self._taker is not None:
            self._taker(answer)

    def then(self, taker: Callable[[Answer | Exception], None]) -> None:
        self._taker = taker


Handler = Callable[[Connection, Any], Answer | Later | Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Registration:
    handler: Handler
    in_order: bool
    """Whether the connection's later commands wait until this one is done."""


class Registry:
    """The commands that are understood, the events that are sent, and who handles what.

    `channel_of` names the channel by which a room's events come: an answer leaves in one write with its own event.
    """

    def __init__(self, channel_of: Callable[[str], str]) -> None:
        self.channel_of = channel_of
        self.commands = CommandTable(())
        self.events = EventTable()
        self._registrations: dict[type[Command], Registration] = {}

    def add(self, model: type[Command], handler: Handler, *, in_order: bool = False) -> None:
        """Let `handler` do this command. Raises ValueError if its `type` is taken, TypeError if it names none."""
        self.commands.register(model)
        self._registrations[model] = Registration(handler, in_order)

    def of(self, command: Command) -> Registration:
        return self._registrations[type(command)]
