"""Who is typing, told by a clock that the test moves."""

import asyncio
from typing import Any

import pytest

from hubbub.accounts.policies import Action, allow_everybody
from hubbub.broker.memory import MemoryBroker
from hubbub.errors import Forbidden
from hubbub.features.rooms.rooms import Room
from hubbub.features.typing.typing_indicators import EXPIRY, REPEAT, SHOWN, TypingIndicators
from hubbub.limits import Allowance
from hubbub.presence.local import LocalPresence
from hubbub.shared_limits.base import SharedLimits
from hubbub.shared_limits.local import LocalLimits
from hubbub.wire.codecs import JSON_CODEC
from hubbub.wire.identity import User
from hubbub.wire.publication import Publication
from tests.servers import Redis
from tests.shared_limits.nodes import redis_limits
from tests.waiting import eventually

LIMITS = LocalLimits(Allowance(1, 1))
ALICE, BOB = User("alice", "Alice"), User("bob", "Bob")


class Desk:
    """Indicators on a real broker, and what was published."""

    def __init__(self, limits: SharedLimits = LIMITS) -> None:
        self.now = 1000.0
        self.published: list[dict[str, Any]] = []
        self.room = Room("lobby", LocalPresence())
        self.broker = MemoryBroker()
        self.typing = TypingIndicators(
            broker=self.broker, policy=allow_everybody, limits=limits, clock=lambda: self.now
        )

    async def open(self) -> "Desk":
        await self.broker.start(self._note, lambda _: None, cluster="ours")
        await self.broker.subscribe(self.room.channel)
        return self

    def _note(self, publication: Publication) -> None:
        assert publication.ephemeral
        self.published.append(JSON_CODEC.decode(publication.payload(JSON_CODEC)))

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.typing.tick()

    @property
    def shown(self) -> list[tuple[str, bool]]:
        return [(event["user"], event["active"]) for event in self.published]


@pytest.fixture
async def desk() -> Desk:
    return await Desk().open()


async def test_an_indicator_is_published_with_the_name(desk: Desk) -> None:
    desk.typing.start(ALICE, desk.room)

    assert desk.published == [{"type": "typing", "room": "lobby", "user": "alice", "name": "Alice", "active": True}]


async def test_it_expires_by_itself(desk: Desk) -> None:
    desk.typing.start(ALICE, desk.room)

    desk.pass_time(EXPIRY - 0.1)
    assert desk.shown == [("alice", True)]
    desk.pass_time(0.1)
    desk.pass_time(100)

    assert desk.shown == [("alice", True), ("alice", False)]


async def test_going_on_typing_keeps_it_and_publishes_now_and_then(desk: Desk) -> None:
    for _ in range(20):
        desk.typing.start(ALICE, desk.room)
        desk.pass_time(REPEAT / 2)

    assert desk.shown == [("alice", True)] * 10


async def test_it_ends_when_its_user_says_so(desk: Desk) -> None:
    desk.typing.start(ALICE, desk.room)
    desk.typing.stop(ALICE, desk.room)
    desk.typing.stop(ALICE, desk.room)
    desk.pass_time(100)

    assert desk.shown == [("alice", True), ("alice", False)]


async def test_the_message_itself_says_that_it_has_ended(desk: Desk) -> None:
    desk.typing.start(ALICE, desk.room)
    desk.typing.sent(ALICE, desk.room)
    desk.pass_time(100)

    assert desk.shown == [("alice", True)]


async def test_after_a_message_the_next_one_shows_at_once(desk: Desk) -> None:
    desk.typing.start(ALICE, desk.room)
    desk.typing.sent(ALICE, desk.room)
    desk.typing.start(ALICE, desk.room)

    assert desk.shown == [("alice", True), ("alice", True)]


async def test_no_more_are_shown_than_a_page_shows(desk: Desk) -> None:
    people = [User(f"guest-{number}", "Guest") for number in range(SHOWN + 5)]

    for person in people:
        desk.typing.start(person, desk.room)
    desk.typing.stop(people[0], desk.room)
    desk.typing.start(BOB, desk.room)

    assert sum(active for _, active in desk.shown) == SHOWN + 1
    assert desk.shown[-1] == ("bob", True)


async def test_nothing_is_kept_when_all_have_ended(desk: Desk) -> None:
    for person in (ALICE, BOB):
        desk.typing.start(person, desk.room)

    desk.pass_time(EXPIRY)

    assert not desk.typing._rooms


async def test_a_policy_may_forbid_it() -> None:
    typing = TypingIndicators(
        broker=MemoryBroker(),
        policy=lambda user, action, where: action is not Action.TYPE,
        limits=LIMITS,
        clock=asyncio.get_running_loop().time,
    )

    with pytest.raises(Forbidden, match="may not type"):
        typing.start(ALICE, Room("lobby", LocalPresence()))


async def test_on_several_nodes_it_is_shown_when_they_have_room_and_has_not_ended_meanwhile(redis: Redis) -> None:
    here, there = redis_limits([redis], Allowance(1, 1)), redis_limits([redis], Allowance(1, 1))
    await here.start()
    await there.start()
    desk = await Desk(here).open()

    async def begins(person: User) -> None:
        asked = desk.typing.start(person, desk.room)
        assert asked is not None
        await asked

    try:
        for _ in range(SHOWN - 1):
            assert await there.enter("typing lobby", SHOWN)
        await begins(ALICE)
        await begins(BOB)
        assert desk.shown == [("alice", True)]
        desk.typing.stop(ALICE, desk.room)
        asked = desk.typing.start(BOB, desk.room)
        assert asked is not None
        desk.typing.stop(BOB, desk.room)
        await asked

        assert desk.shown == [("alice", True), ("alice", False)]
        for _ in range(SHOWN - 1):
            there.leave("typing lobby")
        await eventually(lambda: not redis.ask("KEYS", "hubbub:limits:of:*"))
    finally:
        await here.stop()
        await there.stop()
