"""The broker port: how a publication reaches every node that follows its channel.

A broker is a hint, never the truth: it may lose a publication or die, and what must not be lost is recovered from the
store. So `publish` never fails and never waits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from hubbub.wire.publication import Publication

Deliver = Callable[[Publication], None]


class Broker(Protocol):
    """Six verbs. A broker belongs to one event loop, between `start` and `stop`."""

    async def start(self, deliver: Deliver) -> None:
        """Begin to hand publications of subscribed channels to `deliver`, in the order of each channel."""

    async def stop(self) -> None:
        """Publish what is pending, and let go of everything."""

    def publish(self, publication: Publication) -> None:
        """Hand a publication to every node that is subscribed to its channel, this one included."""

    async def subscribe(self, channel: str) -> None:
        """Follow a channel. Returns when confirmed: nothing published after that is missed while the broker lives."""

    async def unsubscribe(self, channel: str) -> None:
        """Stop following a channel."""

    def is_healthy(self) -> bool:
        """Whether other nodes hear this one at the moment."""
