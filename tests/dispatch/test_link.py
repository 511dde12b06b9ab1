"""How fast commands may come, with a clock that the test moves; and what the link answers."""

import asyncio
from typing import Any

import pytest

from hubbub.delivery.connection import Connection, Pause
from hubbub.delivery.fanout import NO_LIMIT
from hubbub.dispatch.answers import Later
from hubbub.dispatch.link import Link
from hubbub.dispatch.registry import Registration, Registry, Unasked
from hubbub.features.rooms.rooms import channel_of
from hubbub.limits import Allowance
from hubbub.settings import Settings
from hubbub.wire.connection import Ping, PongEvent
from hubbub.wire.frames import Opcode
from tests.delivery.links import Clock, Person, new_fanout

SETTINGS = Settings(rate=20, burst=60, violations=50)
PONG = PongEvent(ts="2026-11-20T09:30:00.000Z")


class Talker:
    """Somebody whose commands go straight to a link."""

    def __init__(self, *, work: Allowance = NO_LIMIT, answer: object = PONG, replies_itself: bool = False) -> None:
        self.clock = Clock(asyncio.get_running_loop())
        registry = Registry(channel_of)

        def handler(connection: Connection, command: Ping) -> Any:
            return answer

        asks = Unasked("a test's own")
        registry.add(Registration(Ping, handler, asks=asks, replies_itself=replies_itself))
        self.person = Person(new_fanout(clock=self.clock, work=work), "alice")
        self.connection = self.person.connection
        self.connection.receiver = self.link = Link(
            self.connection,
            registry,
            SETTINGS,
            room=None,
            on_relieved=lambda connection, missed: None,
            on_closed=lambda connection, clean: None,
        )

    def ping(self) -> dict[str, Any] | None:
        """The answer; None if the connection was closed."""
        self.person.transport.writes.clear()
        self.link.receive(Opcode.TEXT, b'{"type":"ping","id":"1"}')
        events = self.person.events
        return events[0] if events else None


async def test_a_client_that_waits_as_long_as_told_is_never_closed() -> None:
    alice = Talker()
    done = 0

    while done < 2000:
        answer = alice.ping()
        assert answer is not None
        if answer["type"] == "error":
            alice.clock.now += answer["retry_after"] / 1000
        else:
            done += 1


async def test_a_client_that_does_not_wait_is_closed_with_1008() -> None:
    alice = Talker()

    answers = []
    while answer := alice.ping():
        answers.append(answer["type"])

    assert answers == ["pong"] * 60 + ["error"] * 51
    assert alice.person.transport.closed_with is not None
    assert alice.person.transport.closed_with[0] == 1008


async def test_violations_are_forgiven_with_time() -> None:
    alice = Talker()

    for _ in range(20):
        answers = [alice.ping() for _ in range(100)]
        assert None not in answers
        alice.clock.now += 50


async def test_pings_of_the_websocket_protocol_count_as_commands() -> None:
    alice = Talker()

    for _ in range(200):
        alice.link.receive(Opcode.PING, b"")

    assert alice.person.transport.closed_with is not None


async def test_commands_during_a_freeze_of_the_server_are_not_too_fast() -> None:
    alice = Talker()

    alice.clock.now += 40
    answers = [alice.ping() for _ in range(40 * 20)]

    assert [answer and answer["type"] for answer in answers] == ["pong"] * 800


async def test_commands_during_a_slow_answer_are_not_too_fast() -> None:
    alice = Talker()

    alice.connection.pause(Pause.ORDER)
    for _ in range(10):
        alice.clock.now += 1
        alice.connection.fanout.notice_freeze()
    alice.connection.resume(Pause.ORDER)
    answers = [alice.ping() for _ in range(10 * 20)]

    assert [answer and answer["type"] for answer in answers] == ["pong"] * 200


@pytest.mark.parametrize("payload", [b'{"x":[' + b"[]," * 20_000 + b"[]]}", b"[" * 30_000])
async def test_a_frame_that_takes_long_to_decode_is_charged_to_its_sender(payload: bytes) -> None:
    alice = Talker(work=Allowance(rate=1, burst=0))

    alice.ping()
    assert not alice.connection.is_in_debt
    alice.link.receive(Opcode.TEXT, payload)

    assert alice.connection.is_in_debt


@pytest.mark.parametrize(
    ("payload", "hint"), [(b"hello", True), (b"", True), (b" 'hello'", True), (b'{"type": ', False)]
)
async def test_plain_text_at_a_strict_address_is_told_where_it_is_taken(payload: bytes, hint: bool) -> None:
    alice = Talker()

    alice.link.receive(Opcode.TEXT, payload)

    [error] = alice.person.events
    assert error["code"] == "invalid"
    assert error["message"].startswith("not JSON")
    assert ("/ws/chat/" in error["message"]) is hint


async def test_an_answer_may_come_later() -> None:
    later: Later[PongEvent] = Later()
    alice = Talker(answer=later)
    assert alice.ping() is None

    later.give(PONG)

    assert [event["type"] for event in alice.person.events] == ["pong"]


async def test_an_answer_that_came_at_once_needs_no_turn_of_the_loop() -> None:
    later: Later[PongEvent] = Later()
    later.give(PONG)
    answer = Talker(answer=later).ping()

    assert answer is not None
    assert answer["type"] == "pong"


@pytest.mark.parametrize("as_later", [True, False])
async def test_a_handler_without_an_answer_is_acked(as_later: bool) -> None:
    answer: Later[None] | None = None
    if as_later:
        answer = Later()
        answer.give(None)

    assert Talker(answer=answer).ping() == {"type": "ack", "id": "1"}


async def test_for_a_handler_that_replies_itself_the_link_says_nothing() -> None:
    assert Talker(answer=None, replies_itself=True).ping() is None


async def test_a_handler_that_returns_no_answer_is_a_fault_of_the_server() -> None:
    answer = Talker(answer="pong").ping()

    assert answer is not None
    assert (answer["type"], answer["code"], answer["id"]) == ("error", "internal", "1")
