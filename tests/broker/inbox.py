"""What one node's broker delivers, and brokers on the tests' own servers."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from hubbub.broker.redis import RedisBroker
from hubbub.broker.redis_address import parse_addresses
from hubbub.wire.codecs import JSON_CODEC
from hubbub.wire.publication import Publication
from tests.patient import PATIENCE
from tests.servers import Redis

ROOM = "room:lobby"
DEADLINE = 60.0


class Inbox:
    """What one node's broker delivered, and which channels it called missed."""

    def __init__(self) -> None:
        self.publications: list[Publication] = []
        self.missing: list[str] = []
        self._news = asyncio.Event()

    def deliver(self, publication: Publication) -> None:
        self.publications.append(publication)
        self._news.set()

    def missed(self, channels: Iterable[str]) -> None:
        self.missing += channels
        self._news.set()

    async def until(self, text: str) -> list[str]:
        """The texts delivered so far, once the one that is waited for is among them."""
        await self.wait_for(lambda: text in self.texts)
        return self.texts

    async def wait_for(self, is_so: Callable[[], bool]) -> None:
        """Returns when something that came has made it so."""
        async with asyncio.timeout(DEADLINE):
            while not is_so():
                self._news.clear()
                await self._news.wait()

    @property
    def texts(self) -> list[str]:
        events = [publication for publication in self.publications if not publication.is_head]
        return [JSON_CODEC.decode(event.payload(JSON_CODEC))["text"] for event in events]

    @property
    def heads(self) -> list[int | None]:
        return [publication.position for publication in self.publications if publication.is_head]


def said(text: str, *, channel: str = ROOM, position: int | None = None, ephemeral: bool = False) -> Publication:
    return Publication(channel, {"type": "said", "text": text}, position=position, ephemeral=ephemeral)


def redis_broker(*servers: Redis, **options: Any) -> RedisBroker:
    """A broker over these servers, which may be late."""
    return RedisBroker(parse_addresses(",".join(server.url for server in servers)), **{"timeout": PATIENCE, **options})
