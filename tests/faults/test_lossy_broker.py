"""A broker loses publications, or is away: everybody still gets everything, without asking."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest

from hubbub.broker.memory import MemoryBroker
from hubbub.errors import HubbubError, Unavailable
from hubbub.features.messages.feature import MessagesFeature
from hubbub.features.messages.log import RoomLogs
from hubbub.features.messages.log_pages import Head
from hubbub.node import Node
from hubbub.serving.app import create_app
from hubbub.settings import Settings
from hubbub.testing import TestClient, serving
from hubbub.wire.identity import User
from hubbub.wire.publication import Publication
from tests.logbook import Talk

ALICE = User("alice", "Alice")
HALL = "room:hall"


class Town:
    """A server with the test's broker, and Bob in the hall. Bob follows no rules for clients: he only reads."""

    def __init__(self, node: Node, bob: TestClient) -> None:
        self.node = node
        self.bob = bob
        self.talk = Talk(node.feature(MessagesFeature).messages)
        assert isinstance(node.broker, MemoryBroker)
        self.broker = node.broker
        self._publish = node.broker.publish

    async def say(self, *texts: str) -> None:
        for text in texts:
            await self.talk.send(ALICE, "hall", text)

    def lose(self, is_lost: Callable[[Publication], bool]) -> None:
        def publish(publication: Publication) -> None:
            if not is_lost(publication):
                self._publish(publication)

        self.broker.publish = publish  # type: ignore[method-assign]

    def lose_nothing(self) -> None:
        self.broker.publish = self._publish  # type: ignore[method-assign]


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    settings = Settings(data_dir=tmp_path)
    app = create_app(settings)
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving(app, settings=settings))
        bob = await stack.enter_async_context(server.connect("/ws/chat/hall?username=bob"))
        await bob.expect("joined")
        await bob.expect("join", user="bob")
        yield Town(app.state.hub.node, bob)


def texts(sync: dict[str, object]) -> list[object]:
    messages = sync["messages"]
    assert isinstance(messages, list)
    return [message["text"] for message in messages]


async def test_a_lost_publication_is_fetched_when_the_next_one_comes(town: Town) -> None:
    await town.say("one")
    await town.bob.expect("message", text="one")

    town.lose(lambda publication: True)
    await town.say("two", "three")
    await town.talk.edit(ALICE, "hall", 2, "two, edited")
    town.lose_nothing()
    await town.say("four")
    sync = await town.bob.expect("sync")
    await town.say("five")

    assert texts(sync) == ["three", "two, edited", "four"]
    assert (sync["since"], sync["rev"]) == (1, 5)
    await town.bob.expect("message", text="five", rev=6)
    assert [event for event in town.bob.seen if event.get("text") == "four"] == []


async def test_a_lost_last_publication_is_fetched_when_the_broker_tells_of_a_gap(town: Town) -> None:
    town.lose(lambda publication: True)
    await town.say("one", "two")

    town.node.gaps.missed([HALL])
    sync = await town.bob.expect("sync")

    assert texts(sync) == ["one", "two"]
    assert (sync["since"], sync["rev"]) == (0, 2)


async def test_a_sweep_finds_what_nobody_has_published(town: Town) -> None:
    town.lose(lambda publication: True)
    await town.say("one")

    town.node.gaps.sweep()

    assert texts(await town.bob.expect("sync")) == ["one"]


async def test_a_repeated_send_tells_of_a_first_one_that_nobody_heard_of(town: Town) -> None:
    town.lose(lambda publication: True)
    await town.talk.send(ALICE, "hall", "one", key="k")
    town.lose_nothing()

    await town.talk.send(ALICE, "hall", "one", key="k")

    assert texts(await town.bob.expect("sync")) == ["one"]


async def test_a_gap_that_is_too_large_to_fetch_makes_everybody_start_over(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    await town.say("one")
    await town.bob.expect("message", text="one")
    monkeypatch.setattr(
        "hubbub.features.messages.log.RoomLogs.recover.__kwdefaults__", {"max_rows": 2, "max_bytes": 10**6, "latest": 2}
    )

    town.lose(lambda publication: True)
    await town.say("two", "three", "four")
    town.lose_nothing()
    await town.say("five")
    joined = await town.bob.expect("joined")

    assert joined["recovered"] is False
    assert texts(joined) == ["four", "five"]
    await town.say("six")
    await town.bob.expect("message", text="six")


async def test_a_position_alone_sends_no_event(town: Town) -> None:
    town.bob.seen.clear()
    await town.say("one")
    town.node.gaps.missed([HALL])
    await town.say("two")
    await town.bob.expect("message", text="two")

    assert [event["type"] for event in town.bob.seen] == ["message"]


async def test_an_event_that_no_codec_can_encode_is_stored_and_delays_nobody(town: Town) -> None:
    with suppress(HubbubError):
        await town.talk.send(ALICE, "hall", "poison", data={"n": 2**70})
    await town.say("on we go")

    await town.bob.expect("message", text="on we go")


async def test_rooms_whose_positions_could_not_be_read_are_asked_for_again(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = [Unavailable("the database is away")] * 2
    heads = RoomLogs.heads

    async def heads_later(log: RoomLogs, rooms: Sequence[str]) -> list[Head]:
        if away:
            raise away.pop()
        return await heads(log, rooms)

    monkeypatch.setattr(RoomLogs, "heads", heads_later)
    town.lose(lambda publication: True)
    await town.say("one")
    town.node.gaps.missed([HALL])

    assert texts(await town.bob.expect("sync")) == ["one"]
    assert away == []
