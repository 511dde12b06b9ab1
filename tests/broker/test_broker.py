"""What every broker promises, whatever carries its publications. One suite for all of them."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from hubbub.broker.base import Broker
from hubbub.broker.memory import MemoryBroker
from hubbub.wire.codecs import JSON_CODEC
from hubbub.wire.publication import Publication

ROOM = "room:lobby"
DEADLINE = 10.0

BROKERS: dict[str, Callable[[], Broker]] = {"memory": MemoryBroker}


class Inbox:
    """What one node's broker delivered."""

    def __init__(self) -> None:
        self._delivered: list[Publication] = []
        self._news = asyncio.Event()

    def deliver(self, publication: Publication) -> None:
        self._delivered.append(publication)
        self._news.set()

    async def until(self, text: str) -> list[str]:
        """The texts delivered so far, once the one that is waited for is among them."""
        async with asyncio.timeout(DEADLINE):
            while text not in self.texts:
                self._news.clear()
                await self._news.wait()
        return self.texts

    @property
    def texts(self) -> list[str]:
        return [JSON_CODEC.decode(publication.payload(JSON_CODEC))["text"] for publication in self._delivered]

    @property
    def publications(self) -> list[Publication]:
        return self._delivered


def said(text: str, *, channel: str = ROOM, position: int | None = None, ephemeral: bool = False) -> Publication:
    return Publication(channel, {"type": "said", "text": text}, position=position, ephemeral=ephemeral)


@pytest.fixture(params=BROKERS)
def broker(request: pytest.FixtureRequest) -> Broker:
    return BROKERS[request.param]()


@pytest.fixture
async def inbox(broker: Broker) -> AsyncIterator[Inbox]:
    inbox = Inbox()
    await broker.start(inbox.deliver)
    yield inbox
    await broker.stop()


async def test_what_is_published_after_the_confirmation_is_delivered_in_order(broker: Broker, inbox: Inbox) -> None:
    await broker.subscribe(ROOM)

    for number in range(100):
        broker.publish(said(str(number)))

    assert await inbox.until("99") == [str(number) for number in range(100)]


async def test_a_publication_keeps_its_channel_its_position_and_whether_it_may_be_lost(
    broker: Broker, inbox: Inbox
) -> None:
    await broker.subscribe(ROOM)

    broker.publish(said("kept", position=41))
    broker.publish(said("passing", ephemeral=True))
    await inbox.until("passing")

    kept, passing = inbox.publications
    assert (kept.channel, kept.position, kept.ephemeral) == (ROOM, 41, False)
    assert (passing.channel, passing.position, passing.ephemeral) == (ROOM, None, True)


async def test_a_channel_that_nobody_follows_is_not_delivered(broker: Broker, inbox: Inbox) -> None:
    await broker.subscribe(ROOM)

    broker.publish(said("elsewhere", channel="room:other"))
    broker.publish(said("here"))

    assert await inbox.until("here") == ["here"]


async def test_a_channel_whose_name_begins_like_another_is_another(broker: Broker, inbox: Inbox) -> None:
    await broker.subscribe(ROOM)

    for channel in (ROOM + "2", ROOM + "*", "room:", ROOM.upper()):
        broker.publish(said(channel, channel=channel))
    broker.publish(said("here"))

    assert await inbox.until("here") == ["here"]


async def test_after_unsubscribing_nothing_more_comes(broker: Broker, inbox: Inbox) -> None:
    await broker.subscribe(ROOM)
    await broker.subscribe("room:other")
    await broker.unsubscribe(ROOM)

    broker.publish(said("gone"))
    broker.publish(said("here", channel="room:other"))

    assert await inbox.until("here") == ["here"]


async def test_subscribing_again_delivers_again_and_once(broker: Broker, inbox: Inbox) -> None:
    await broker.subscribe(ROOM)
    await broker.unsubscribe(ROOM)
    await broker.subscribe(ROOM)
    await broker.subscribe(ROOM)

    broker.publish(said("one"))
    broker.publish(said("two"))

    assert await inbox.until("two") == ["one", "two"]


async def test_unsubscribing_from_what_was_never_followed_is_no_error(broker: Broker, inbox: Inbox) -> None:
    await broker.unsubscribe("room:never")

    assert broker.is_healthy()


async def test_a_stopped_broker_delivers_nothing_and_publishing_to_it_is_no_error(broker: Broker, inbox: Inbox) -> None:
    await broker.subscribe(ROOM)
    await broker.stop()

    broker.publish(said("too late"))

    assert not broker.is_healthy()
    assert inbox.texts == []


async def test_a_broker_that_starts_again_follows_nothing_yet(broker: Broker, inbox: Inbox) -> None:
    await broker.subscribe(ROOM)
    await broker.stop()
    await broker.start(inbox.deliver)
    await broker.subscribe("room:other")

    broker.publish(said("forgotten"))
    broker.publish(said("here", channel="room:other"))

    assert await inbox.until("here") == ["here"]
    assert broker.is_healthy()
