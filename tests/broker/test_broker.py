"""What every broker promises. One suite for all of them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from itertools import cycle

import pytest

from hubbub.broker.base import Broker
from hubbub.broker.memory import MemoryBroker
from hubbub.wire.codecs import CODECS
from hubbub.wire.publication import Publication
from tests.broker.inbox import ROOM, Inbox, redis_broker, said
from tests.patient import PATIENCE
from tests.servers import Redis

MakeBroker = Callable[[], Broker]
CLUSTER = "ours"

pytestmark = pytest.mark.usefixtures("patience")


@pytest.fixture(params=["redis", "three redis"])
def for_many(request: pytest.FixtureRequest) -> MakeBroker:
    """Makes brokers that carry publications between nodes."""
    servers: list[Redis] = (
        [request.getfixturevalue("redis")] if request.param == "redis" else request.getfixturevalue("three_redis")
    )
    return lambda: redis_broker(*servers)


@pytest.fixture(params=["memory", "redis", "three redis"])
def broker(request: pytest.FixtureRequest) -> Broker:
    match request.param:
        case "memory":
            return MemoryBroker()
        case "redis":
            return redis_broker(request.getfixturevalue("redis"))
        case _:
            return redis_broker(*request.getfixturevalue("three_redis"))


@pytest.fixture
async def inbox(broker: Broker) -> AsyncIterator[Inbox]:
    inbox = Inbox()
    await broker.start(inbox.deliver, inbox.missed, cluster=CLUSTER)
    yield inbox
    await broker.stop()


class Node:
    """A broker and what it has delivered."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.inbox = Inbox()

    async def start(self) -> None:
        self.counts: dict[str, int] = {}
        count = self.counts
        await self.broker.start(
            self.inbox.deliver, self.inbox.missed, cluster=CLUSTER, count=lambda channel: count.get(channel, 0)
        )


@pytest.fixture
async def nodes(for_many: MakeBroker) -> AsyncIterator[tuple[Node, Node]]:
    one, two = Node(for_many()), Node(for_many())
    await one.start()
    await two.start()
    yield one, two
    await one.broker.stop()
    await two.broker.stop()


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

    assert broker.problem is None


async def test_a_stopped_broker_delivers_nothing_and_publishing_to_it_is_no_error(broker: Broker, inbox: Inbox) -> None:
    await broker.subscribe(ROOM)
    await broker.stop()

    broker.publish(said("too late"))

    assert broker.problem is not None
    assert inbox.texts == []


async def test_a_broker_that_starts_again_follows_nothing_yet(broker: Broker, inbox: Inbox) -> None:
    await broker.subscribe(ROOM)
    await broker.stop()
    await broker.start(inbox.deliver, inbox.missed, cluster=CLUSTER)
    await broker.subscribe("room:other")

    broker.publish(said("forgotten"))
    broker.publish(said("here", channel="room:other"))

    assert await inbox.until("here") == ["here"]
    assert broker.problem is None


async def test_while_all_is_well_nothing_is_missed(broker: Broker, inbox: Inbox) -> None:
    await broker.subscribe(ROOM)
    broker.publish(said("here"))
    await inbox.until("here")
    await broker.unsubscribe(ROOM)

    assert inbox.missing == []


async def test_a_subscriber_of_the_publishers_node_is_served_in_the_same_turn(broker: Broker, inbox: Inbox) -> None:
    await broker.subscribe(ROOM)

    broker.publish(said("at once"))

    assert inbox.texts == ["at once"]


async def test_a_publication_reaches_every_node_once_its_own_too(nodes: tuple[Node, Node]) -> None:
    one, two = nodes
    for node in nodes:
        for room in range(30):
            await node.broker.subscribe(f"room:{room}")

    for room in range(30):
        one.broker.publish(said(f"one {room}", channel=f"room:{room}"))
        two.broker.publish(said(f"two {room}", channel=f"room:{room}"))
    # What ends each channel comes after whatever echo there was.
    for room in range(30):
        one.broker.publish(said(f"end {room}", channel=f"room:{room}"))
    for node in nodes:
        for room in range(30):
            await node.inbox.until(f"end {room}")
            await node.inbox.until(f"two {room}")

    expected = sorted(f"{who} {room}" for who in ("one", "two", "end") for room in range(30))
    assert sorted(one.inbox.texts) == expected
    assert sorted(two.inbox.texts) == expected


async def test_a_channels_publications_reach_the_other_node_in_order(nodes: tuple[Node, Node]) -> None:
    one, two = nodes
    await two.broker.subscribe(ROOM)

    for number in range(1000):
        one.broker.publish(said(str(number)))

    assert await two.inbox.until("999") == [str(number) for number in range(1000)]


async def test_a_publication_reaches_another_node_as_the_very_bytes_of_each_codec(nodes: tuple[Node, Node]) -> None:
    one, two = nodes
    await two.broker.subscribe(ROOM)
    sent = [
        Publication(ROOM, {"text": "Grüße 👋" * 1000, "data": {"n": [1.5, None, True]}}, position=7),
        Publication(ROOM, {"text": "several at once"}, position=9, since=7),
        Publication(ROOM, {"text": "typing"}, ephemeral=True),
        Publication.head(ROOM, 2**40),
        said("end"),
    ]

    for publication in sent:
        one.broker.publish(publication)
    await two.inbox.until("end")

    for publication, received in zip(sent, two.inbox.publications, strict=True):
        for name in ("channel", "position", "since", "ephemeral", "is_head"):
            assert getattr(received, name) == getattr(publication, name)
        if not publication.is_head:
            for codec in CODECS:
                assert received.payload(codec) == publication.payload(codec)


async def test_what_was_published_before_the_stop_reaches_the_others(nodes: tuple[Node, Node]) -> None:
    one, two = nodes
    await two.broker.subscribe(ROOM)

    for number in range(1000):
        one.broker.publish(said(str(number)))
    await one.broker.stop()

    assert len(await two.inbox.until("999")) == 1000


async def test_what_no_codec_can_say_holds_up_nobody(nodes: tuple[Node, Node]) -> None:
    one, two = nodes
    await two.broker.subscribe(ROOM)

    one.broker.publish(Publication(ROOM, {"text": object()}))
    one.broker.publish(said("on we go"))

    assert await two.inbox.until("on we go") == ["on we go"]


async def test_a_count_is_the_sum_of_all_nodes_that_follow_the_channel(nodes: tuple[Node, Node]) -> None:
    one, two = nodes
    one.counts[ROOM], two.counts[ROOM] = 3, 4

    alone = await one.broker.count(ROOM)
    await two.broker.subscribe(ROOM)
    from_outside = await one.broker.count(ROOM)
    await one.broker.subscribe(ROOM)
    from_inside = await one.broker.count(ROOM)

    assert (alone, from_outside, from_inside) == (3, 7, 7)
    assert not one.inbox.publications
    assert not two.inbox.publications


async def test_a_count_does_not_wait_for_a_node_that_leaves_the_channel_meanwhile(nodes: tuple[Node, Node]) -> None:
    one, two = nodes
    channels = [f"room:{number}" for number in range(100)]
    for channel in channels:
        one.counts[channel] = two.counts[channel] = 1
        for node in nodes:
            await node.broker.subscribe(channel)

    for channel, leaving in zip(channels, cycle(nodes)):
        counting = asyncio.create_task(one.broker.count(channel))
        await asyncio.sleep(0)
        await leaving.broker.unsubscribe(channel)
        async with asyncio.timeout(PATIENCE / 2):
            assert await counting >= 1


async def test_many_counts_at_once_do_not_mix(nodes: tuple[Node, Node]) -> None:
    one, two = nodes
    channels = [f"room:{number}" for number in range(200)]
    for number, channel in enumerate(channels):
        two.counts[channel] = number
        await two.broker.subscribe(channel)

    counts = await asyncio.gather(*map(one.broker.count, channels))

    assert counts == list(range(200))


async def test_a_count_without_other_nodes_is_this_node_s(broker: Broker) -> None:
    inbox = Inbox()
    await broker.start(inbox.deliver, inbox.missed, cluster=CLUSTER, count=len)
    await broker.subscribe(ROOM)

    assert await broker.count(ROOM) == len(ROOM)
    await broker.stop()
