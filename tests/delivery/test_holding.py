"""A connection that catches up: what is published meanwhile waits for it, and comes once, in order."""

import pytest

from hubbub.delivery.connection import State
from hubbub.delivery.fanout import HELD, Fanout
from hubbub.delivery.transport import HIGH_WATER
from tests.delivery.links import Person, congest, new_fanout, say, turn

ROOM = "room:talk"


async def test_events_during_a_hold_come_when_it_ends() -> None:
    fanout = new_fanout()
    late = Person(fanout, "late")

    with await fanout.subscribe_held(late.connection, ROOM):
        say(fanout, ROOM, "meanwhile", position=1)
        await turn()
        held = list(late.texts)
    say(fanout, ROOM, "afterwards", position=2)
    await turn()

    assert held == []
    assert late.texts == ["meanwhile", "afterwards"]


async def test_events_that_the_connection_has_already_do_not_come_again() -> None:
    fanout = new_fanout()
    late = Person(fanout, "late")

    with await fanout.subscribe_held(late.connection, ROOM) as hold:
        for position in range(1, 6):
            say(fanout, ROOM, f"m{position}", position=position)
        say(fanout, ROOM, "typing", ephemeral=True)
        hold.read_up_to(3)

    assert late.texts == ["m4", "m5", "typing"]


async def test_the_others_are_served_while_one_is_held() -> None:
    fanout = new_fanout()
    alice, late = Person(fanout, "alice"), Person(fanout, "late")
    await fanout.subscribe(alice.connection, ROOM)
    await fanout.subscribe_held(late.connection, ROOM)

    say(fanout, ROOM, "hello", position=1)
    await turn()

    assert alice.texts == ["hello"]
    assert fanout.count(ROOM) == 2


async def test_events_before_a_hold_are_written_before_it() -> None:
    fanout = new_fanout()
    alice = Person(fanout, "alice")
    await fanout.subscribe(alice.connection, ROOM)

    say(fanout, ROOM, "before", position=1)
    fanout.holding(alice.connection, ROOM)
    before = list(alice.texts)
    say(fanout, ROOM, "during", position=2)
    await turn()

    assert before == alice.texts == ["before"]


async def test_a_connection_that_is_congested_when_it_is_let_go_has_a_gap_from_what_it_was_given() -> None:
    fanout = new_fanout()
    slow = Person(fanout, "slow")
    with await fanout.subscribe_held(slow.connection, ROOM) as hold:
        slow.transport.capacity = 0
        slow.transport.write(b"x" * (HIGH_WATER + 1))
        say(fanout, ROOM, "missed", position=8)
        hold.read_up_to(7)
    state = slow.connection.state
    slow.transport.writes.clear()
    slow.transport.empty()

    assert state is State.CONGESTED
    assert slow.listener.missed == [{ROOM: 7}]


async def test_after_a_gap_a_connection_is_held_until_it_has_caught_up() -> None:
    fanout = new_fanout()
    slow = Person(fanout, "slow")
    await congest(fanout, slow, ROOM)
    slow.listener.relieved = lambda missed: None  # type: ignore[method-assign]

    slow.transport.empty()
    with fanout.recovering(slow.connection, ROOM) as hold:
        say(fanout, ROOM, "live", position=3)
        await turn()
        before = slow.texts[1:]
        hold.read_up_to(2)

    assert before == []
    assert slow.texts[1:] == ["live"]


async def test_one_that_never_catches_up_is_sent_away_and_leaves_nothing() -> None:
    fanout = new_fanout()
    stuck = Person(fanout, "stuck")
    await fanout.subscribe_held(stuck.connection, ROOM)

    for position in range(1, HELD + 2):
        say(fanout, ROOM, "more", position=position)
    await turn()

    assert stuck.connection.close_code == 1013
    assert fanout.count(ROOM) == 0


async def test_a_hold_does_not_forget_an_earlier_gap() -> None:
    fanout = new_fanout()
    slow = Person(fanout, "slow")
    await congest(fanout, slow, ROOM)

    with fanout.holding(slow.connection, ROOM):
        pass
    slow.transport.empty()

    assert slow.listener.missed == [{ROOM: 1}]


async def test_an_earlier_gap_is_told_when_the_connection_empties_during_a_hold() -> None:
    fanout = new_fanout()
    slow = Person(fanout, "slow")
    await congest(fanout, slow, ROOM)

    with fanout.holding(slow.connection, ROOM):
        slow.transport.empty()
        say(fanout, ROOM, "live", position=3)
        await turn()
        before = slow.texts[1:]

    assert slow.listener.missed == [{ROOM: 1}]
    assert before == []
    assert slow.texts[1:] == ["live"]


async def test_a_connection_that_is_held_twice_waits_for_both() -> None:
    fanout = new_fanout()
    late = Person(fanout, "late")

    with await fanout.subscribe_held(late.connection, ROOM) as joining:
        with fanout.holding(late.connection, ROOM):
            for position in (1, 2):
                say(fanout, ROOM, f"m{position}", position=position)
        before = list(late.transport.writes)
        joining.read_up_to(1)

    assert before == []
    assert late.texts == ["m2"]


async def test_of_two_answers_that_overtake_each_other_the_older_ones_rest_is_delivered() -> None:
    fanout = new_fanout()
    late = Person(fanout, "late")

    with await fanout.subscribe_held(late.connection, ROOM) as first:
        with fanout.holding(late.connection, ROOM) as second:
            for position in (1, 2, 3):
                say(fanout, ROOM, f"m{position}", position=position)
            second.read_up_to(3)
        first.read_up_to(1)

    assert late.texts == ["m2", "m3"]


async def test_one_that_closes_is_not_held_any_more() -> None:
    fanout = new_fanout()
    alice, bob = Person(fanout, "alice"), Person(fanout, "bob")
    for person in (alice, bob):
        await fanout.subscribe(person.connection, ROOM)

    bob.connection.close()
    with fanout.holding(bob.connection, ROOM):
        pass
    alice.connection.close()
    fanout.holding(alice.connection, ROOM)

    assert fanout.count(ROOM) == 0


def fail_while_others_speak(fanout: Fanout, text: str, *, position: int) -> None:
    say(fanout, ROOM, text, position=position)
    raise OSError("unreadable")


async def test_an_error_under_a_hold_lets_go() -> None:
    fanout = new_fanout()
    alice = Person(fanout, "alice")
    await fanout.subscribe(alice.connection, ROOM)

    with pytest.raises(OSError, match="unreadable"), fanout.holding(alice.connection, ROOM):
        fail_while_others_speak(fanout, "meanwhile", position=1)

    assert alice.texts == ["meanwhile"]


async def test_a_connection_whose_missed_messages_cannot_be_read_is_closed() -> None:
    fanout = new_fanout()
    slow = Person(fanout, "slow")
    await congest(fanout, slow, ROOM)
    slow.listener.relieved = lambda missed: None  # type: ignore[method-assign]
    slow.transport.empty()

    with pytest.raises(OSError, match="unreadable"), fanout.recovering(slow.connection, ROOM):
        fail_while_others_speak(fanout, "live", position=3)

    assert slow.connection.close_code == 1013
    assert "live" not in slow.texts
    assert fanout.count(ROOM) == 0


async def test_a_hold_does_not_end_the_hold_of_a_later_visit() -> None:
    fanout = new_fanout()
    alice, bob = Person(fanout, "alice"), Person(fanout, "bob")
    await fanout.subscribe(bob.connection, ROOM)

    with await fanout.subscribe_held(alice.connection, ROOM):
        fanout.unsubscribe(alice.connection, ROOM)
        await fanout.subscribe_held(alice.connection, ROOM)
    say(fanout, ROOM, "too early", position=1)
    await turn()

    assert alice.texts == []
