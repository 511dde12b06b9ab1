"""A whole broker in one process: what a single node needs, and what the other brokers are tested against."""

from __future__ import annotations

from hubbub.broker.base import Deliver, Missed
from hubbub.wire.publication import Publication


class MemoryBroker:
    """Delivers at once, in the publisher's own turn of the event loop, to the one node that started it."""

    def __init__(self) -> None:
        self._deliver: Deliver | None = None
        self._channels: set[str] = set()

    async def start(self, deliver: Deliver, missed: Missed, *, cluster: str) -> None:
        self._deliver = deliver

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

    @property
    def problem(self) -> str | None:
        return None if self._deliver is not None else "it is not started"
