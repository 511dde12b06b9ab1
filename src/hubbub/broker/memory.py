"""A whole broker in one process: what a single node needs, and what the other brokers are tested against."""

from __future__ import annotations

from hubbub.broker.base import Count, Deliver, Missed, no_connections
from hubbub.wire.publication import Publication


class MemoryBroker:
    """Delivers at once, in the publisher's own turn of the event loop, to the one node that started it."""

    reaches_others = False

    def __init__(self) -> None:
        self._deliver: Deliver | None = None
        self._count: Count = no_connections
        self._channels: set[str] = set()

    async def start(self, deliver: Deliver, missed: Missed, *, cluster: str, count: Count = no_connections) -> None:
        self._deliver = deliver
        self._count = count

    async def stop(self) -> None:
        self._deliver = None
        self._channels.clear()

    def publish(self, publication: Publication) -> None:
        if self._deliver is not None and publication.channel in self._channels:
            self._deliver(publication)

    async def subscribe(self, channel: str) -> None:
        self._channels.add(channel)

    async def unsubscribe(self, channel: str) -> None:
        self._channels.discard(channel)

    async def count(self, channel: str) -> int:
        return self._count(channel)

    @property
    def problem(self) -> str | None:
        return None if self._deliver is not None else "it is not started"
