"""What has no answer yet: its order, its bounds, and when it is sent again."""

from collections.abc import Sequence

import pytest

from hubbub.client.backoff import Backoff
from hubbub.client.outbox import Outbox, Pace
from hubbub.wire.connection import Limits, Ping
from hubbub.wire.messages import SendMessage


def say(text: str, room: str = "hall") -> SendMessage:
    return SendMessage(room=room, text=text, key=f"key-of-{text.replace(' ', '-')}")


@pytest.fixture
def outbox() -> Outbox:
    return Outbox(lambda: Backoff(first=1.0, random=lambda: 0.5))


def due(outbox: Outbox, now: float = 0.0, rooms: Sequence[str] = ("hall",), most: int = 64) -> list[str | None]:
    return [command.id for command in outbox.due(now, rooms, most=most)]


def test_commands_are_sent_once_in_the_order_in_which_they_were_asked_for(outbox: Outbox) -> None:
    for id in ("#1", "#2", "#3"):
        outbox.add(id, say(id))

    assert due(outbox) == ["#1", "#2", "#3"]
    assert due(outbox) == []


def test_commands_wait_for_the_join_of_their_own_room_only(outbox: Outbox) -> None:
    outbox.add("#1", say("hello", "Hall"))
    outbox.add("#2", say("hello", "kitchen"))
    outbox.add("#3", Ping())

    assert due(outbox, rooms=["kitchen"]) == ["#2", "#3"]
    assert due(outbox, rooms=["kitchen", "hall"]) == ["#1"]


def test_no_more_are_in_flight_than_the_server_allows(outbox: Outbox) -> None:
    for id in ("#1", "#2", "#3"):
        outbox.add(id, say(id))

    assert due(outbox, most=2) == ["#1", "#2"]
    outbox.remove("#1")
    assert due(outbox, most=2) == ["#3"]


def test_commands_in_flight_on_a_lost_connection_are_sent_again_unchanged(outbox: Outbox) -> None:
    outbox.add("#1", say("hello"))
    (first,) = outbox.due(0.0, ["hall"], most=64)

    outbox.disconnected()

    assert list(outbox.due(0.0, ["hall"], most=64)) == [first]


def test_a_postponed_command_is_not_overtaken_in_its_room(outbox: Outbox) -> None:
    outbox.add("#1", say("first"))
    assert due(outbox) == ["#1"]
    outbox.postpone("#1", 10.0, 2.0)
    outbox.add("#2", say("second"))
    outbox.add("#3", say("elsewhere", "kitchen"))

    assert due(outbox, 11.9, ["hall", "kitchen"]) == ["#3"]
    assert outbox.next_due(11.9) == 12.0
    assert due(outbox, 12.0) == ["#1", "#2"]


def test_without_retry_after_the_wait_doubles(outbox: Outbox) -> None:
    outbox.add("#1", say("hello"))

    waits = []
    for _ in range(3):
        outbox.postpone("#1", 0.0, None)
        waits.append(outbox.next_due(0.0))

    assert waits == [0.5, 1.0, 2.0]


def test_a_withdrawn_command_is_not_sent(outbox: Outbox) -> None:
    outbox.add("#1", say("hello"))

    outbox.remove("#1")

    assert due(outbox) == []
    assert len(outbox) == 0


def test_half_of_the_burst_goes_at_once_and_the_rest_at_the_servers_rate() -> None:
    pace = Pace()
    pace.begin(Limits(frame=65536, text=4000, unanswered=64, rate=10.0, burst=6), 100.0)

    times, now = [], 100.0
    for _ in range(5):
        now = max(now, pace.due())
        pace.sent(now)
        times.append(round(now, 6))

    assert times == [100.0, 100.0, 100.0, 100.1, 100.2]


@pytest.mark.parametrize("retry_after", [None, 0.1, 60.0])
def test_after_too_fast_the_burst_is_used_up_and_one_interval_must_pass(retry_after: float | None) -> None:
    pace = Pace()
    pace.begin(Limits(frame=65536, text=4000, unanswered=64, rate=10.0, burst=6), 100.0)

    pace.too_fast(100.0, retry_after)

    assert pace.due() == pytest.approx(100.1)
    pace.sent(100.1)
    assert pace.due() == pytest.approx(100.2)
