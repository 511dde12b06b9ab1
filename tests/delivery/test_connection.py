"""One connection: its states, what it sends in each of them, and when it is read from."""

import asyncio
import gc
import weakref
from itertools import product

import pytest

from hubbub.delivery.connection import TRANSITIONS, UNREAD_MOST, Pause, Signal, State
from hubbub.limits import Allowance
from hubbub.wire.connection import PongEvent
from hubbub.wire.frames import Opcode, Received
from tests.delivery.links import Clock, Person, new_fanout, turn

PONG = PongEvent(ts="2026-11-20T09:30:00.123Z")
HELLO = Received(Opcode.TEXT, b"hello")


@pytest.mark.parametrize(("state", "signal"), sorted(set(product(State, Signal)) - set(TRANSITIONS), key=str), ids=str)
async def test_a_transition_that_is_not_in_the_table_raises(state: State, signal: Signal) -> None:
    alice = Person(new_fanout(), "alice")
    alice.connection.state = state

    with pytest.raises(RuntimeError, match=f"{state.value} cannot {signal.value}"):
        alice.connection._change(signal)


@pytest.mark.parametrize("transition", list(TRANSITIONS), ids=str)
async def test_a_transition_of_the_table_leads_where_it_says(transition: tuple[State, Signal]) -> None:
    alice = Person(new_fanout(), "alice")
    alice.connection.state, signal = transition

    alice.connection._change(signal)

    assert alice.connection.state is TRANSITIONS[transition]


def test_every_state_ends_in_closed() -> None:
    assert all((state, Signal.LOSE) in TRANSITIONS for state in State if state is not State.CLOSED)
    assert not [state for state, _ in TRANSITIONS if state is State.CLOSED]


async def test_an_open_connection_sends_at_once() -> None:
    alice = Person(new_fanout(), "alice")

    assert alice.connection.send(PONG)

    assert [event["type"] for event in alice.events] == ["pong"]


async def test_a_congested_connection_gets_its_answers_and_nothing_else() -> None:
    alice = Person(new_fanout(), "alice")
    alice.connection.filled()

    assert not alice.connection.send(PONG)
    alice.connection.reply(PONG)

    assert len(alice.events) == 1


async def test_a_closing_connection_sends_nothing() -> None:
    alice = Person(new_fanout(), "alice")
    alice.connection.close(1000, "bye")

    assert not alice.connection.send(PONG)
    alice.connection.reply(PONG)

    assert not alice.transport.writes
    assert alice.transport.closed_with == (1000, "bye")


async def test_closing_twice_says_what_was_said_first() -> None:
    alice = Person(new_fanout(), "alice")

    alice.connection.close(1008, "first")
    alice.connection.close(1000, "second")
    alice.connection.lost(1006, "")

    assert alice.transport.closed_with == (1008, "first")
    assert alice.listener.endings == [(1008, "first")]


async def test_the_end_is_told_once_with_the_peer_s_own_words() -> None:
    alice = Person(new_fanout(), "alice")

    alice.connection.ending(1001, "tab closed")
    alice.connection.lost(1006, "")
    alice.connection.lost(1006, "")

    assert alice.listener.endings == [(1001, "tab closed")]


async def test_a_link_that_breaks_ends_with_1006() -> None:
    alice = Person(new_fanout(), "alice")

    alice.connection.lost(1006, "")

    assert alice.listener.endings == [(1006, "")]
    assert alice.connection.state is State.CLOSED


async def test_closing_a_congested_connection_ends_its_pause_so_that_the_answer_is_read() -> None:
    alice = Person(new_fanout(), "alice")
    alice.connection.filled()
    assert not alice.transport.reading

    alice.connection.close(1000)

    assert alice.transport.reading


async def test_messages_are_handed_over_in_order() -> None:
    alice = Person(new_fanout(), "alice")

    alice.connection.received([Received(Opcode.TEXT, b"1"), Received(Opcode.BINARY, b"2")])

    assert alice.listener.heard == [(Opcode.TEXT, b"1"), (Opcode.BINARY, b"2")]


async def test_messages_during_a_pause_wait_and_keep_their_order() -> None:
    alice = Person(new_fanout(), "alice")
    alice.connection.pause(Pause.ORDER)
    alice.connection.received([Received(Opcode.TEXT, b"1")])
    alice.connection.received([Received(Opcode.TEXT, b"2")])
    assert not alice.listener.heard
    assert not alice.transport.reading

    alice.connection.resume(Pause.ORDER)
    alice.connection.received([Received(Opcode.TEXT, b"3")])

    assert [payload for _, payload in alice.listener.heard] == [b"1", b"2", b"3"]
    assert alice.transport.reading


async def test_reasons_to_pause_add_up() -> None:
    alice = Person(new_fanout(), "alice")
    alice.connection.pause(Pause.ORDER)
    alice.connection.pause(Pause.UNANSWERED)
    alice.connection.received([HELLO])

    alice.connection.resume(Pause.ORDER)
    assert not alice.listener.heard
    alice.connection.resume(Pause.UNANSWERED)

    assert alice.listener.heard == [HELLO]


async def test_a_message_that_makes_the_connection_pause_holds_back_those_behind_it() -> None:
    alice = Person(new_fanout(), "alice")
    hear = alice.listener.receive

    def pause_at(opcode: int, payload: bytes) -> None:
        hear(opcode, payload)
        alice.connection.pause(Pause.ORDER)

    alice.listener.receive = pause_at  # type: ignore[method-assign]
    alice.connection.received([Received(Opcode.TEXT, bytes((number,))) for number in range(3)])

    for number in range(3):
        assert len(alice.listener.heard) == number + 1
        alice.connection.resume(Pause.ORDER)
    assert alice.transport.reading


async def test_resuming_for_a_reason_that_never_was_changes_nothing() -> None:
    alice = Person(new_fanout(), "alice")
    alice.connection.pause(Pause.ORDER)

    alice.connection.resume(Pause.UNANSWERED)

    assert not alice.transport.reading


async def test_nothing_is_read_after_the_end() -> None:
    alice = Person(new_fanout(), "alice")
    alice.connection.pause(Pause.ORDER)
    alice.connection.received([HELLO])
    alice.connection.close(1000)

    alice.connection.received([HELLO])
    alice.connection.resume(Pause.ORDER)

    assert not alice.listener.heard


async def test_any_frame_is_a_sign_of_life() -> None:
    alice = Person(new_fanout(), "alice")
    alice.connection.silent_beats = 2

    alice.connection.received([Received(Opcode.PONG, b"")])

    assert alice.connection.silent_beats == 0


async def test_an_emptied_connection_is_read_from_again_where_no_other_reason_forbids_it() -> None:
    alice = Person(new_fanout(), "alice")
    alice.connection.filled()
    alice.connection.pause(Pause.ORDER)

    alice.transport.empty()
    assert not alice.transport.reading
    alice.connection.resume(Pause.ORDER)

    assert alice.transport.reading


async def test_a_connection_has_a_place_for_the_application_s_notes() -> None:
    alice, bob = Person(fanout := new_fanout(), "alice"), Person(fanout, "bob")

    alice.connection.data["seat"] = 7

    assert alice.connection.data == {"seat": 7}
    assert bob.connection.data == {}


async def test_a_connection_that_has_ended_is_let_go_of_without_the_garbage_collector() -> None:
    fanout = new_fanout()
    gc.disable()
    try:
        alice = Person(fanout, "alice")
        await fanout.subscribe(alice.connection, "room:lobby")
        alice.connection.lost(1006, "")
        gone = weakref.ref(alice.connection)
        await turn(10)

        del alice

        assert gone() is None
    finally:
        gc.enable()


async def test_a_connection_that_has_ended_may_still_be_told_anything() -> None:
    alice = Person(new_fanout(), "alice")
    alice.connection.lost(1006, "")

    alice.connection.pause(Pause.ORDER)
    alice.connection.resume(Pause.ORDER)
    alice.connection.received([HELLO])
    alice.connection.filled()
    alice.connection.emptied()
    alice.connection.reply(PONG)
    alice.connection.close()
    alice.connection.abort()

    assert not alice.connection.send(PONG)
    assert not alice.listener.heard
    assert len(alice.listener.endings) == 1


async def test_one_that_makes_more_work_than_it_may_is_not_read_from_until_it_is_even() -> None:
    alice = Person(new_fanout(work=Allowance(rate=1000, burst=10)), "alice")

    reading = []
    for _ in range(2):
        alice.connection.charge(10)
        reading.append(alice.transport.reading)
    assert reading == [True, False]

    while not alice.transport.reading:  # noqa: ASYNC110 - the loop's own timer ends it
        await asyncio.sleep(0.001)
    assert not alice.connection.is_in_debt


async def test_one_that_has_ended_owes_nothing() -> None:
    alice = Person(new_fanout(work=Allowance(rate=1, burst=1)), "alice")
    alice.connection.close()

    alice.connection.charge(1000)

    assert not alice.connection.is_in_debt


@pytest.mark.parametrize("reason", [Pause.UNANSWERED, Pause.ORDER, Pause.HANDSHAKE])
async def test_seconds_in_which_the_server_was_slow_to_answer_are_counted_as_unread(reason: int) -> None:
    clock = Clock(asyncio.get_running_loop())
    alice = Person(new_fanout(clock=clock), "alice")

    alice.connection.pause(reason)
    clock.now += 7
    alice.connection.resume(reason)

    assert alice.connection.unread == 7


async def test_reasons_of_the_server_that_overlap_are_counted_once_and_up_to_a_minute() -> None:
    clock = Clock(asyncio.get_running_loop())
    alice = Person(new_fanout(clock=clock), "alice")

    alice.connection.pause(Pause.ORDER)
    clock.now += 2
    alice.connection.pause(Pause.UNANSWERED)
    clock.now += 2
    alice.connection.resume(Pause.ORDER)
    clock.now += 2
    alice.connection.resume(Pause.UNANSWERED)
    assert alice.connection.unread == 6

    alice.connection.pause(Pause.ORDER)
    clock.now += 1000
    alice.connection.resume(Pause.ORDER)
    assert alice.connection.unread == UNREAD_MOST


@pytest.mark.parametrize("reason", [Pause.RATE, Pause.WORK, Pause.CONGESTION])
async def test_seconds_in_which_the_client_was_too_fast_or_too_slow_are_its_own(reason: int) -> None:
    clock = Clock(asyncio.get_running_loop())
    alice = Person(new_fanout(clock=clock), "alice")

    alice.connection.pause(reason)
    clock.now += 7
    alice.connection.resume(reason)

    assert alice.connection.unread == 0
