"""A link to Redis, as everybody uses it who needs Redis for something else than publications."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from hubbub.broker.redis_address import RedisAddress
from hubbub.broker.redis_connection import RedisAway, RedisConnection, ReplyError
from hubbub.broker.redis_link import RedisLink
from hubbub.broker.redis_log import ServerLog
from tests.broker.inbox import DEADLINE
from tests.fault_proxy import FaultProxy
from tests.patient import PATIENCE
from tests.servers import Redis

TIMEOUT = 1.0
"""For a link that notices soon that nobody answers. All others are patient."""


@pytest.fixture
def proxy(redis: Redis) -> Iterator[FaultProxy]:
    with FaultProxy(redis.port) as proxy:
        yield proxy


@pytest.fixture
async def link(proxy: FaultProxy) -> AsyncIterator[RedisLink]:
    link = RedisLink(RedisAddress("127.0.0.1", proxy.port, database=3), timeout=PATIENCE)
    await link.start()
    yield link
    await link.stop()


@pytest.fixture
async def hasty(proxy: FaultProxy) -> AsyncIterator[RedisLink]:
    link = RedisLink(RedisAddress("127.0.0.1", proxy.port), timeout=TIMEOUT)
    await link.start()
    yield link
    await link.stop()


async def up(link: RedisLink) -> None:
    async with asyncio.timeout(DEADLINE):
        while not link.is_up:  # noqa: ASYNC110 - nobody says when it changes
            await asyncio.sleep(0.01)


async def test_it_is_up_when_it_has_started(link: RedisLink) -> None:
    assert link.is_up
    assert link.problem is None


async def test_calls_of_one_turn_are_answered_each_with_its_own(link: RedisLink) -> None:
    calls = (link.call("ECHO", str(number)) for number in range(1000))

    assert await asyncio.gather(*calls) == [str(number).encode() for number in range(1000)]


async def test_it_uses_the_database_of_its_address(link: RedisLink, redis: Redis) -> None:
    await link.call("SET", "here", "yes")

    assert redis.ask("GET", "here") is None


async def test_an_error_is_raised_where_it_belongs(link: RedisLink) -> None:
    calls = [link.call("ECHO", "one"), link.call("INCR"), link.call("ECHO", "three")]
    one, two, three = await asyncio.gather(*calls, return_exceptions=True)

    assert (one, three) == (b"one", b"three")
    assert isinstance(two, ReplyError)


async def test_who_stops_waiting_takes_nobody_elses_answer(link: RedisLink, proxy: FaultProxy) -> None:
    proxy.delay = 0.05
    impatient = asyncio.ensure_future(link.call("ECHO", "impatient"))
    await asyncio.sleep(0)
    impatient.cancel()

    assert await link.call("ECHO", "patient") == b"patient"


async def test_a_call_without_an_answer_ends_at_the_deadline(hasty: RedisLink, proxy: FaultProxy) -> None:
    await up(hasty)
    proxy.freeze()

    async with asyncio.timeout(DEADLINE):
        with pytest.raises(RedisAway, match="it does not answer within 1 s"):
            await hasty.call("PING")
    proxy.thaw()
    await up(hasty)
    assert await hasty.call("PING") == b"PONG"


async def test_a_process_that_did_not_run_for_longer_than_the_deadline_keeps_its_line(
    hasty: RedisLink, proxy: FaultProxy
) -> None:
    for _ in range(2):
        answer = asyncio.ensure_future(hasty.call("PING"))
        await asyncio.sleep(0)
        time.sleep(1.5 * TIMEOUT)  # noqa: ASYNC251 - as a hook does that blocks the event loop
        assert await answer == b"PONG"

    assert proxy.accepted == 1


async def test_a_cut_ends_all_calls_and_a_new_connection_serves_the_next(link: RedisLink, proxy: FaultProxy) -> None:
    proxy.swallow_answers()
    calls = [asyncio.ensure_future(link.call("PING")) for _ in range(10)]
    await asyncio.sleep(0)
    proxy.cut()

    for ended in await asyncio.gather(*calls, return_exceptions=True):
        assert isinstance(ended, RedisAway)
    proxy.swallow(on=False)
    await up(link)
    assert await link.call("PING") == b"PONG"


async def test_while_it_is_away_a_call_ends_at_once(link: RedisLink, proxy: FaultProxy) -> None:
    proxy.refuse()
    proxy.cut()
    async with asyncio.timeout(DEADLINE):
        while link.is_up:  # noqa: ASYNC110 - nobody says when it changes
            await asyncio.sleep(0.01)

    async with asyncio.timeout(PATIENCE / 2):
        with pytest.raises(RedisAway):
            await link.call("PING")


async def test_each_new_connection_is_greeted_before_it_is_used(proxy: FaultProxy) -> None:
    heard: list[str] = []
    lost = asyncio.Event()

    async def greet(connection: RedisConnection) -> None:
        heard.append("greet")
        await connection.call("PING")

    def note_lost() -> None:
        heard.append("lost")
        lost.set()

    address = RedisAddress("127.0.0.1", proxy.port)
    link = RedisLink(
        address, timeout=PATIENCE, greet=greet, connected=lambda: heard.append("connected"), lost=note_lost
    )
    await link.start()
    proxy.cut()
    async with asyncio.timeout(DEADLINE):
        await lost.wait()
    await up(link)
    await link.stop()

    assert heard == ["greet", "connected", "lost", "greet", "connected"]


async def test_a_stop_sends_what_is_pending_first(redis: Redis) -> None:
    link = RedisLink(RedisAddress("127.0.0.1", redis.port), timeout=PATIENCE)
    await link.start()
    answers: list[object] = []

    link.send(("SET", "last words", "said"), answers.append)
    await link.stop()

    assert answers == [b"OK"]
    assert redis.ask("GET", "last words") == b"said"


async def test_a_stopped_link_starts_again(redis: Redis) -> None:
    link = RedisLink(RedisAddress("127.0.0.1", redis.port), timeout=PATIENCE)
    for _ in range(2):
        await link.start()
        assert await link.call("PING") == b"PONG"
        await link.stop()
        assert not link.is_up


async def test_several_links_of_a_node_to_one_server_say_once_that_it_is_connected(
    redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    address = RedisAddress("127.0.0.1", redis.port)
    links = [RedisLink(address, timeout=PATIENCE) for _ in range(3)]
    for link in links:
        await link.start()
    for link in links:
        await link.stop()

    assert [record.getMessage() for record in caplog.records] == [f"{address} is connected"]


def test_the_log_says_once_what_happens_to_all_links_to_a_server(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    server = ServerLog()
    for link in "abc":
        server.connected(link, "redis")
    for what in ("was lost: it closed the connection", "is away: refused"):
        for link in "abc":
            server.is_down(link, "redis", what)
    for link in "ab":
        server.connected(link, "redis")
    assert [record.getMessage() for record in caplog.records] == [
        "redis is connected",
        "redis was lost: it closed the connection",
        "redis is away: refused",
    ]

    server.connected("c", "redis")
    server.is_down("b", "redis", "was lost: it closed the connection")
    assert [record.getMessage() for record in caplog.records[3:]] == [
        "redis is connected",
        "redis was lost: it closed the connection",
    ]
