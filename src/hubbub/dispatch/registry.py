"""Which function handles which command, and what the policy is asked before. Features and applications add their
commands here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from hubbub.accounts.policies import Action, Policy, allow_everybody
from hubbub.delivery.connection import Connection
from hubbub.dispatch.answers import Answer, Later
from hubbub.wire.base import Command
from hubbub.wire.commands import CommandTable
from hubbub.wire.events import EventTable


class Place(Protocol):
    """What a command is about: a room, a topic. The policy is asked about its key."""

    @property
    def key(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Unasked:
    """The policy is not asked before a command, for this reason."""

    reason: str


Answers = Answer | Later[Any] | Awaitable[Answer]
"""What a handler may return. `answers.py` says what each of these means."""
Handler = Callable[[Connection, Any], Answers]
"""Handles a command. If its `Registration` has a place, that is the third argument."""


@dataclass(frozen=True, slots=True)
class Registration:
    """A command and its handler.

    `place` returns what a command is about, for the policy and the handler. It raises a `RequestError` if this
    connection may not know the place. `asks` is the action that the policy is asked about there, or the reason why it
    is not asked.
    """

    model: type[Command]
    handler: Callable[..., Answers]
    asks: Action | Unasked
    place: Callable[[Connection, Any], Place] | None = None
    in_order: bool = False
    """Whether the connection's later commands wait until this one is done."""
    replies_itself: bool = False
    """Whether the handler sends its own events, so that the link sends none."""
    action: Action | None = field(init=False)

    def __post_init__(self) -> None:
        action = self.asks if isinstance(self.asks, Action) else None
        if action is not None and self.place is None:
            raise TypeError(f"{self.model.__name__} asks the policy about {action}, and says not where: give `place`")
        object.__setattr__(self, "action", action)


class Registry:
    """All commands with their handlers, all events, and the policy that is asked before a command.

    `channel_of` gives a room's channel, so that an answer can leave in one write with the command's own event.
    """

    def __init__(self, channel_of: Callable[[str], str], policy: Policy = allow_everybody) -> None:
        self.channel_of = channel_of
        self.policy = policy
        self.commands = CommandTable(())
        self.events = EventTable()
        self._registrations: dict[type[Command], Registration] = {}

    def add(self, registration: Registration) -> None:
        """Add a command. Raises ValueError if its `type` is taken, TypeError if it names none."""
        self.commands.register(registration.model)
        self._registrations[registration.model] = registration

    def of(self, command: Command) -> Registration:
        return self._registrations[type(command)]

    @property
    def registrations(self) -> list[Registration]:
        return list(self._registrations.values())
