"""A node with a crowd on it stops or dies, and all who were there come to the other two nodes at once.

`--crowd 2000` makes it two thousand.
"""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import ConnectionClosed

from hubbub.serving.server import raise_file_limit
from hubbub.wire.codes import CloseCode
from tests.cluster.conftest import ENVIRONMENT
from tests.conftest import ServerFactory
from tests.crowd import all_hear, come, come_back, hang_up, repairs
from tests.fault_proxy import FaultProxy
from tests.people import Person, person
from tests.servers import Redis, WebServer

MISSED = [f"missed {number}" for number in range(30)]
MOST_SAID = 400
DRAINING = 20.0


class Requests:
    """Counts what nodes ask the database."""

    def __init__(self) -> None:
        self.number = 0

    def note(self, _: bytes) -> bool:
        self.number += 1
        return False


@pytest.fixture
def requests() -> Requests:
    return Requests()


@pytest.fixture
def line(postgres: str, requests: Requests) -> Iterator[FaultProxy]:
    with FaultProxy(urlsplit(postgres).port or 5432, on_request=requests.note) as proxy:
        yield proxy


@pytest.fixture
def nodes(line: FaultProxy, postgres: str, redis: Redis, serve: ServerFactory) -> list[WebServer]:
    """Two nodes whose requests to the database are counted, and the one that ends."""
    raise_file_limit()
    environment = {
        **ENVIRONMENT,
        "HUBBUB_BROKER_URL": redis.url,
        "HUBBUB_DRAIN_TIMEOUT": str(DRAINING),
        "HUBBUB_CLOSE_TIMEOUT": "2",
    }
    addresses = (line.before(postgres), line.before(postgres), postgres)
    return [serve(environment=environment | {"HUBBUB_DATABASE_URL": address}) for address in addresses]


@pytest.mark.slow(6)
async def test_a_crowd_whose_node_died_is_recovered_on_the_others_by_a_few_queries(
    nodes: list[WebServer], requests: Requests, crowd: int
) -> None:
    others = [node.port for node in nodes[:2]]
    async with person(nodes[0], "alice") as alice:
        await alice.join("hall")
        await alice.say("hall", "welcome")
        guests = await come([nodes[2].port], crowd, "hall")
        nodes[2].kill()
        await asyncio.gather(*(guest.gone for guest in guests))
        for text in MISSED:
            await alice.say("hall", text)

        before = requests.number
        half = crowd // 2
        back = await come_back(guests[:half], others, "hall")
        # The page that those have got is shared for a second, but not with those who come now.
        await alice.say("hall", "meanwhile")
        back += await come_back(guests[half:], others, "hall")
        asked = requests.number - before
        assert all([await guest.joined for guest in back])
        await alice.say("hall", "now")

        await all_hear(back, ["welcome", *MISSED, "meanwhile", "now"])
        hang_up(back)
    print(f"{crowd} guests, {asked} requests to the database, {repairs(back)} repairs")
    assert repairs(back) == 0
    assert asked < 100 + crowd / 2  # it grows with the time that their coming takes, not with them


async def talk(somebody: Person, acked: set[str], under_way: asyncio.Event) -> None:
    """Say one thing after the other until the connection ends, and note the acks. It ends with less than a client may
    have missed."""
    try:
        for number in range(MOST_SAID):
            text = f"{somebody.key} {number}"
            if (await somebody.say("hall", text))["type"] == "ack":
                acked.add(text)
            if number == 10:
                under_way.set()
    except ConnectionClosed:
        return


@pytest.mark.slow(10)
async def test_a_node_with_a_crowd_and_one_who_does_not_read_stops_in_stages_and_nothing_acked_is_lost(
    nodes: list[WebServer], crowd: int
) -> None:
    others = [node.port for node in nodes[:2]]
    acked: set[str] = set()
    async with AsyncExitStack() as stack:
        places = {"alice": nodes[0], "bob": nodes[2], "sleepy": nodes[2]}
        alice, bob, sleepy = [await stack.enter_async_context(person(place, name)) for name, place in places.items()]
        for somebody in (alice, bob, sleepy):
            await somebody.join("hall")
        guests = await come([nodes[2].port], crowd, "hall")
        sleepy.link.transport.pause_reading()
        under_way = asyncio.Event()
        talking = [asyncio.create_task(talk(somebody, acked, under_way)) for somebody in (alice, bob)]
        await under_way.wait()

        nodes[2].signal(signal.SIGTERM)
        status = await asyncio.to_thread(nodes[2].wait, DRAINING + 10)
        codes = await asyncio.gather(*(guest.gone for guest in guests))
        guests = await come_back(guests, others, "hall")
        await asyncio.gather(*talking)
        sleepy.vanish()

        assert status == 0
        assert set(codes) == {CloseCode.SERVICE_RESTART}
        assert all([await guest.joined for guest in guests])
        carol = await stack.enter_async_context(person(nodes[0], "carol"))
        await carol.join("hall")
        await carol.say("hall", "all are back")
        stored = await read_all(carol)
        assert acked <= set(stored)
        assert len(stored) == len(set(stored))
        await all_hear(guests, stored)
        hang_up(guests)
    print(f"{crowd} guests, {len(stored)} messages, {repairs(guests)} repairs")
    assert repairs(guests) == 0


async def read_all(somebody: Person) -> list[str]:
    texts: list[str] = []
    after = 0
    while page := (await somebody.ask({"type": "history", "room": "hall", "after": after, "limit": 200}))["messages"]:
        texts += [row["text"] for row in page]
        after = page[-1]["seq"]
    return texts
