"""A session without sockets: when it connects, waits and gives up, and what it sends and answers."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from hubbub.client.session import (
    GHOST,
    OPENING_DEADLINE,
    SETTLED,
    TRANSITIONS,
    Ended,
    Happening,
    Session,
    State,
    Undelivered,
)
from hubbub.errors import Conflict, Forbidden, Unauthenticated, Unavailable
from hubbub.wire.answers import Ack, ErrorEvent
from hubbub.wire.base import Command, Event
from hubbub.wire.codes import CLOSE_MEANINGS, ERROR_MEANINGS, CloseCode, ErrorCode
from hubbub.wire.connection import Draining, Limits, Ping, PingEvent, Welcome
from hubbub.wire.messages import MessageEvent, SendMessage, Sync
from hubbub.wire.rooms import Join, Joined, Leave, RoomPosition
from hubbub.wire.topics import NotificationEvent
from hubbub.wire.typing import Typing


class Alice:
    """A session with a clock that the test sets. Each random wait is as long as it may be."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.session = Session(clock=lambda: self.now, random=lambda: 1.0)

    def connect(self) -> None:
        self.session.open()
        self.session.receive(welcome())

    def join(self, room: str = "hall") -> None:
        self.session.join(room)
        (join,) = self.sent()
        self.session.receive(joined(room, id=join.id))

    def say(self, text: str, room: str = "hall") -> str:
        return self.session.ask(SendMessage(room=room, text=text, key=f"key-of-{text.replace(' ', '-')}"))

    def sent(self) -> list[Command]:
        return list(iter_commands(self.session))

    def answers(self) -> dict[str, Any]:
        answers = dict(self.session.output.answers)
        self.session.output.answers.clear()
        return answers

    def events(self) -> list[Event]:
        events = list(self.session.output.events)
        self.session.output.events.clear()
        return events

    def wait(self) -> float:
        return self.session.due - self.now


def iter_commands(session: Session) -> Iterator[Command]:
    while (command := session.next_command()) is not None:
        yield command


def welcome(*, rate: float = 1000.0, burst: int = 1000, unanswered: int = 64) -> Welcome:
    limits = Limits(frame=65536, text=4000, unanswered=unanswered, rate=rate, burst=burst)
    return Welcome(
        user="alice", name="Alice", connection="c", node="n", epoch="e1", ts="", heartbeat=25_000, limits=limits
    )


def joined(room: str = "hall", *, id: str | None = None, rev: int = 0, recovered: bool = False) -> Joined:
    return Joined(
        id=id, room=room, name=room, online=1, users=[], epoch="e1", seq=rev, rev=rev, floor=0, recovered=recovered
    )


def message(seq: int, room: str = "hall") -> MessageEvent:
    return MessageEvent(room=room, seq=seq, rev=seq, user="bob", name="Bob", text=str(seq), ts="")


def error(code: ErrorCode, *, id: str | None, room: str | None = "hall", retry_after: int | None = None) -> ErrorEvent:
    return ErrorEvent(id=id, command="join", room=room, code=code, message="no", retry_after=retry_after)


@pytest.fixture
def alice() -> Alice:
    return Alice()


@pytest.fixture
def here(alice: Alice) -> Alice:
    """Alice, connected and in the hall."""
    alice.connect()
    alice.join()
    alice.answers()
    alice.events()
    return alice


# Connections.


@pytest.mark.parametrize(("state", "happening"), list(product(State, Happening)), ids=str)
def test_an_unlisted_transition_is_a_bug(alice: Alice, state: State, happening: Happening) -> None:
    alice.session.state = state
    if happening in TRANSITIONS[state]:
        alice.session._step(happening)
        assert alice.session.state is TRANSITIONS[state][happening]
    else:
        with pytest.raises(KeyError):
            alice.session._step(happening)


def test_each_attempt_waits_longer_than_the_one_before_up_to_half_a_minute(alice: Alice) -> None:
    waits = []
    for _ in range(8):
        alice.session.open()
        alice.session.lost()
        waits.append(alice.wait())

    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_only_a_lasting_connection_resets_the_wait(alice: Alice) -> None:
    alice.session.open()
    alice.session.lost()
    alice.connect()
    alice.now += SETTLED - 1
    alice.session.lost()
    assert alice.wait() == 1

    alice.connect()
    alice.now += SETTLED
    alice.session.lost()
    assert alice.wait() == 0.5


def test_a_draining_server_says_when_to_come_back(here: Alice) -> None:
    here.session.receive(Draining(reconnect_in=7000))
    here.now += 2
    here.session.lost(CloseCode.SERVICE_RESTART)

    assert here.wait() == 5


@pytest.mark.parametrize("code", CLOSE_MEANINGS)
def test_a_close_code_decides_whether_to_come_back(here: Alice, code: CloseCode) -> None:
    id = here.say("hello")

    here.session.lost(code, "because")

    if CLOSE_MEANINGS[code].reconnect:
        assert here.session.state is State.WAITING
        assert here.wait() == (10.0 if CLOSE_MEANINGS[code].after_a_while else 0.5)
        assert here.answers() == {}
    else:
        assert here.session.state is State.REFUSED
        failure = here.answers()[id]
        assert isinstance(failure, Ended)
        assert (failure.code, failure.reason) == (code, "because")


def test_after_each_close_for_haste_the_wait_is_longer(alice: Alice) -> None:
    waits = []
    for _ in range(3):
        alice.connect()
        alice.now += 10 * SETTLED
        alice.session.lost(CloseCode.POLICY_VIOLATION)
        waits.append(alice.wait())

    assert waits == [10.0, 15.0, 25.0]


@pytest.mark.parametrize("code", [None, 1005, 4999])
def test_after_an_unknown_close_code_the_client_reconnects(here: Alice, code: int | None) -> None:
    here.session.lost(code)

    assert here.session.state is State.WAITING


def test_a_refused_handshake_ends_the_session(alice: Alice) -> None:
    alice.session.join("hall")
    alice.session.open()

    alice.session.rejected(Unauthenticated("log in first"), may_pass=False)

    assert alice.session.state is State.REFUSED
    assert isinstance(alice.answers()["hall"], Unauthenticated)
    alice.session.join("kitchen")
    assert isinstance(alice.answers()["kitchen"], Unauthenticated)


def test_a_proxys_answer_ends_only_a_session_that_was_never_let_in(here: Alice) -> None:
    id = here.say("hello")
    here.session.lost()
    here.session.open()
    here.session.rejected(Unauthenticated("the server answered 401"), may_pass=False, is_strange=True)
    assert here.session.state is State.WAITING
    assert id not in here.answers()

    stranger = Alice()
    stranger.session.open()
    stranger.session.rejected(Unauthenticated("the server answered 401"), may_pass=False, is_strange=True)
    assert stranger.session.state is State.REFUSED


def test_a_full_server_says_when_to_come_back(alice: Alice) -> None:
    alice.session.open()

    alice.session.rejected(Unavailable("full", retry_after=30_000), may_pass=True)

    assert alice.session.state is State.WAITING
    assert alice.wait() == 30.5


def test_a_name_that_another_guest_uses_is_refused(alice: Alice) -> None:
    alice.session.open()

    alice.session.rejected(Conflict("in use"), may_pass=False)

    assert alice.session.state is State.REFUSED


@pytest.mark.parametrize(("later", "state"), [(GHOST - 1, State.WAITING), (GHOST, State.REFUSED)])
def test_a_name_that_our_own_lost_connection_may_still_use_is_tried_again(
    alice: Alice, later: float, state: State
) -> None:
    alice.session.open()
    alice.session.lost()
    alice.now += later

    alice.session.open()
    alice.session.rejected(Conflict("in use"), may_pass=False)

    assert alice.session.state is state


def test_a_server_that_is_silent_for_two_heartbeats_is_gone(here: Alice) -> None:
    assert here.session.silence_deadline == here.now + 50
    here.now += 20
    here.session.receive(PingEvent(ts=""))
    assert here.session.silence_deadline == here.now + 50


def test_a_connection_that_does_not_open_in_time_is_given_up(alice: Alice) -> None:
    alice.session.open()

    assert alice.session.silence_deadline == alice.now + OPENING_DEADLINE


# Rooms.


def test_rooms_are_joined_together_and_again_on_each_connection(alice: Alice) -> None:
    alice.session.join("hall")
    alice.session.join("kitchen")
    alice.connect()
    assert [join.positions for join in alice.sent() if isinstance(join, Join)] == [
        [RoomPosition(room="hall"), RoomPosition(room="kitchen")]
    ]
    alice.session.receive(joined("hall", rev=3))
    alice.session.lost()

    alice.connect()

    (again,) = alice.sent()
    assert isinstance(again, Join)
    assert [(one.room, one.rev, one.epoch) for one in again.positions] == [("hall", 3, "e1"), ("kitchen", None, None)]


def test_a_gap_is_asked_for_once(here: Alice) -> None:
    here.session.receive(message(2))
    here.session.receive(message(3))
    (join,) = here.sent()
    here.session.receive(message(4))

    assert isinstance(join, Join)
    assert join.positions[0].rev == 0
    assert here.sent() == []


def test_a_room_that_cannot_be_joined_now_is_asked_for_again(alice: Alice) -> None:
    alice.connect()
    alice.session.join("hall")
    (join,) = alice.sent()
    alice.session.receive(error(ErrorCode.UNAVAILABLE, id=join.id, retry_after=2000))

    assert alice.sent() == []
    assert alice.session.next_send() == alice.now + 2
    alice.now += 2
    (again,) = alice.sent()
    alice.session.receive(joined(id=again.id))

    assert isinstance(alice.answers()["hall"], Joined)


def test_a_forbidden_room_is_not_asked_for_again(alice: Alice) -> None:
    alice.connect()
    alice.session.join("hall")
    id = alice.say("hello")
    (join,) = alice.sent()

    alice.session.receive(error(ErrorCode.FORBIDDEN, id=join.id))

    answers = alice.answers()
    assert isinstance(answers["hall"], Forbidden)
    assert isinstance(answers[id], Forbidden)
    assert alice.session.view("hall") is None
    alice.session.lost()
    alice.connect()
    assert alice.sent() == []


def test_a_join_that_came_too_fast_is_repeated_for_all_its_rooms(alice: Alice) -> None:
    alice.session.join("hall")
    alice.session.join("kitchen")
    alice.connect()
    (join,) = alice.sent()

    alice.session.receive(error(ErrorCode.RATE_LIMITED, id=join.id, room=None, retry_after=100))

    alice.now += 0.1
    (again,) = alice.sent()
    assert isinstance(again, Join)
    assert len(again.positions) == 2


def test_an_answer_to_an_older_join_does_not_count_for_a_new_one(alice: Alice) -> None:
    alice.connect()
    alice.session.join("hall")
    (first,) = alice.sent()
    alice.session.leave("hall")
    alice.session.join("hall")
    leave, second = alice.sent()
    assert isinstance(leave, Leave)
    alice.say("hello")

    alice.session.receive(joined(id=first.id))
    assert alice.sent() == []

    alice.session.receive(joined(id=second.id))
    assert [type(command) for command in alice.sent()] == [SendMessage]


def test_events_of_a_room_that_was_left_are_not_handed_out(here: Alice) -> None:
    here.session.leave("Hall")
    here.session.receive(message(1))

    assert here.events() == []
    assert [type(command) for command in here.sent()] == [Leave]


def test_missed_messages_are_handed_out_one_by_one(here: Alice) -> None:
    here.session.receive(message(1))
    sync = Sync(room="hall", since=1, rev=4, floor=0, users=[], messages=[message(3), message(2), message(4)])

    here.session.receive(sync)

    assert here.events() == [message(1), sync, message(2), message(3), message(4)]


def test_events_of_no_room_are_handed_out(here: Alice) -> None:
    notification = NotificationEvent(topic="orders", title="shipped", ts="")

    here.session.receive(notification)

    assert here.events() == [notification]


# Commands.


def test_a_command_waits_for_its_room_and_is_answered(alice: Alice) -> None:
    id = alice.say("hello")
    alice.connect()
    assert alice.sent() == []

    alice.join()
    (sent,) = alice.sent()
    alice.session.receive(Ack(id=id, room="hall", seq=1, rev=1))

    assert isinstance(sent, SendMessage)
    assert sent.id == id
    assert alice.answers()[id].seq == 1


def test_an_unanswered_command_is_sent_again_after_the_join(here: Alice) -> None:
    here.say("hello")
    first = here.sent()
    here.session.lost()

    here.connect()
    (join,) = here.sent()
    here.session.receive(joined(id=join.id, recovered=True))

    assert here.sent() == first


@pytest.mark.parametrize("code", ErrorCode)
def test_an_error_code_decides_whether_a_command_is_sent_again(here: Alice, code: ErrorCode) -> None:
    id = here.say("hello")
    first = here.sent()

    here.session.receive(error(code, id=id, retry_after=1000))
    here.now += 1

    if ERROR_MEANINGS[code].may_retry:
        assert here.answers() == {}
        assert here.sent() == first
    else:
        assert here.answers()[id].code == code
        assert here.sent() == []


def say_more_than_is_allowed(alice: Alice) -> None:
    alice.session.open()
    alice.session.receive(welcome(rate=10.0, burst=6))
    alice.join()
    for number in range(4):
        alice.say(f"message {number}")


def test_commands_are_sent_no_faster_than_the_server_allows(alice: Alice) -> None:
    say_more_than_is_allowed(alice)

    assert len(alice.sent()) == 2
    assert alice.session.next_send() == pytest.approx(alice.now + 0.1)
    alice.now += 0.1
    assert len(alice.sent()) == 1


def test_a_typing_command_beyond_the_limits_is_dropped(alice: Alice) -> None:
    say_more_than_is_allowed(alice)
    assert len(alice.sent()) == 2

    alice.session.tell(Typing(room="hall"))
    assert alice.sent() == []
    alice.now += 0.2
    assert [type(command) for command in alice.sent()] == [SendMessage, SendMessage]


def test_after_too_fast_every_command_waits_but_no_longer_than_a_token_takes(alice: Alice) -> None:
    alice.session.open()
    alice.session.receive(welcome(rate=10.0, burst=60))
    alice.join()
    id = alice.say("hello")
    assert len(alice.sent()) == 1

    alice.session.receive(error(ErrorCode.RATE_LIMITED, id=id, retry_after=60_000))
    alice.say("elsewhere", "hall")
    alice.session.ask(Ping())
    assert alice.sent() == []
    alice.now += 0.1

    assert [type(command) for command in alice.sent()] == [Ping]


def test_a_command_that_becomes_due_between_two_calls_is_sent(here: Alice) -> None:
    here.say("hello")
    (hello,) = here.sent()
    here.session.receive(error(ErrorCode.UNAVAILABLE, id=hello.id, retry_after=2000))
    due = here.now + 2

    assert here.session.next_command() is None
    here.now = due

    assert here.session.next_send() == due


def test_a_command_without_an_answer_is_sent_now_or_never(here: Alice) -> None:
    here.session.tell(Typing(room="hall"))
    assert [type(command) for command in here.sent()] == [Typing]

    here.session.lost()
    here.session.tell(Typing(room="hall"))
    here.connect()
    assert [type(command) for command in here.sent()] == [Join]


def test_leaving_a_room_or_closing_tells_the_callers_that_wait(here: Alice) -> None:
    in_the_hall = here.say("hello")
    here.session.leave("hall")
    assert isinstance(here.answers()[in_the_hall], Undelivered)

    waiting = here.say("hello", "kitchen")
    here.session.close()
    assert isinstance(here.answers()[waiting], Undelivered)

    afterwards = here.say("hello", "kitchen")
    assert isinstance(here.answers()[afterwards], Undelivered)


def test_an_error_that_answers_no_command_is_handed_out(here: Alice) -> None:
    event = error(ErrorCode.RATE_LIMITED, id=None)

    here.session.receive(event)

    assert here.events() == [event]


def test_an_error_has_all_that_the_server_said(here: Alice) -> None:
    id = here.say("hello")
    fields = [{"loc": ["text"], "msg": "too long", "type": "string_too_long"}]

    here.session.receive(ErrorEvent(id=id, room="hall", code=ErrorCode.INVALID, message="text: no", errors=fields))

    refusal = here.answers()[id]
    assert (refusal.code, refusal.message, refusal.room, refusal.errors) == ("invalid", "text: no", "hall", fields)
