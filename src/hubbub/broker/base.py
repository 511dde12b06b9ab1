"""The broker port: how a publication reaches every node that follows its channel.

A broker is a hint, never the truth: it may lose a publication or die, and what must not be lost is recovered from the
store. So `publish` never fails and never waits, and a broker says where it may have lost something.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from hubbub.wire.publication import Publication

Deliver = Callable[[Publication], None]
Missed = Callable[[Iterable[str]], None]
Count = Callable[[str], int]


def no_connections(channel: str) -> int:
    """The `Count` of a node that has none."""
    return 0


class Broker(Protocol):
    """Six verbs and a state. A broker belongs to one event loop, between `start` and `stop`."""

    reaches_others: bool
    """Whether there can be other nodes."""

    async def start(self, deliver: Deliver, missed: Missed, *, cluster: str, count: Count = no_connections) -> None:
        """Begin to give publications of subscribed channels to `deliver`, in each channel's order.

        `missed` is called with subscribed channels of which publications may not have come until now: once after each
        gap, and about once a second while it lasts. `cluster` names the nodes' common database. `count` says
        how many connections of this node get what is published in a channel. A part of the broker
        that cannot be reached yet is waited for in the background.

        Raises `ConfigurationError` if a person must change something, as when nodes of another cluster are there.
        """

    async def stop(self) -> None:
        """Publish what is pending, and disconnect."""

    def publish(self, publication: Publication) -> None:
        """Hand a publication to every node that is subscribed to its channel, this one included, and at once."""

    async def subscribe(self, channel: str) -> None:
        """Follow a channel. Returns when this is confirmed. If a later publication is lost, `missed` is called.
        If the broker is away, this returns soon without an error, and `missed` is called until the broker is back."""

    async def unsubscribe(self, channel: str) -> None:
        """Stop following a channel."""

    async def count(self, channel: str) -> int:
        """How many connections of all nodes get what is published in a channel. A node that does not answer within a
        moment counts as none."""

    @property
    def problem(self) -> str | None:
        """The part of the broker that does not reach other nodes now, and why, in words without a password; None if all
        is well."""
