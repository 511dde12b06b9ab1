"""Fan-out: who gets what, in which order, in how many writes; who is left out and what they are told afterwards."""

import asyncio
import random
from itertools import count

import pytest

from hubbub.delivery.connection import Pause, State
from hubbub.delivery.fanout import Fanout
from hubbub.delivery.flushing import SUBSCRIBERS_PER_TURN
from hubbub.delivery.formats import CHUNK_BYTES
from hubbub.delivery.heartbeat import BEATS, SILENT_BEATS
from hubbub.delivery.transport import HIGH_WATER
from hubbub.errors import NotStarted
from hubbub.wire.publication import Publication
from tests.delivery.links import MSGPACK_FORMAT, Clock, Person, new_fanout, opened_at_once, say, size_of, turn

ROOM = "room:lobby"
OTHER = "room:other"


async def everybody(fanout: Fanout, *names: str, channel: str = ROOM) -> list[Person]:
    people = [Person(fanout, name) for name in names]
    for person in people:
        await fanout.subscribe(person.connection, channel)
    return people


def is_bare(fanout: Fanout) -> bool:
    """Whether a fan-out keeps nothing of channels and of connections in trouble."""
    return fanout.channels.is_empty and fanout.flushing.is_empty and fanout.deadlines.is_empty


# Who gets what, in how many writes.


async def test_each_subscriber_gets_one_write_for_one_turn() -> None:
    fanout = new_fanout()
    alice, bob = await everybody(fanout, "alice", "bob")

    for number in range(20):
        say(fanout, ROOM, f"message {number}")
    assert not alice.transport.writes
    await turn()

    for person in (alice, bob):
        assert len(person.transport.writes) == 1
        assert person.texts == [f"message {number}" for number in range(20)]


async def test_two_subscribers_get_the_very_same_bytes() -> None:
    fanout = new_fanout()
    alice, bob = await everybody(fanout, "alice", "bob")

    say(fanout, ROOM, "hello")
    await turn()

    assert alice.transport.writes[0] is bob.transport.writes[0]


async def test_each_codec_is_written_to_those_who_chose_it() -> None:
    fanout = new_fanout()
    (alice,) = await everybody(fanout, "alice")
    bob = Person(fanout, "bob", form=MSGPACK_FORMAT)
    await fanout.subscribe(bob.connection, ROOM)

    say(fanout, ROOM, "hello")
    await turn()

    assert alice.texts == bob.texts == ["hello"]
    assert alice.frames[0].opcode == 1
    assert bob.frames[0].opcode == 2


async def test_nothing_reaches_another_channel() -> None:
    fanout = new_fanout()
    (alice,) = await everybody(fanout, "alice")
    (bob,) = await everybody(fanout, "bob", channel=OTHER)

    say(fanout, ROOM, "hello")
    say(fanout, "room:empty", "nobody")
    await turn()

    assert alice.texts == ["hello"]
    assert not bob.transport.writes


async def test_a_new_subscriber_sees_nothing_older_and_the_others_lose_nothing() -> None:
    fanout = new_fanout()
    (alice,) = await everybody(fanout, "alice")

    say(fanout, ROOM, "before")
    bob = Person(fanout, "bob")
    joining = asyncio.ensure_future(fanout.subscribe(bob.connection, ROOM))
    await joining
    say(fanout, ROOM, "after")
    await turn()

    assert alice.texts == ["before", "after"]
    assert bob.texts == ["after"]


async def test_a_subscriber_that_leaves_still_gets_earlier_events() -> None:
    fanout = new_fanout()
    alice, bob = await everybody(fanout, "alice", "bob")

    say(fanout, ROOM, "before")
    fanout.unsubscribe(bob.connection, ROOM)
    say(fanout, ROOM, "after")
    await turn()

    assert alice.texts == ["before", "after"]
    assert bob.texts == ["before"]


async def test_a_connection_that_closes_still_gets_earlier_events() -> None:
    fanout = new_fanout()
    alice, bob = await everybody(fanout, "alice", "bob")

    say(fanout, ROOM, "before")
    bob.connection.close(1000, "bye")
    say(fanout, ROOM, "after")
    await turn()

    assert alice.texts == ["before", "after"]
    assert bob.texts == ["before"]
    assert bob.transport.closed_with == (1000, "bye")


async def test_an_answer_comes_after_what_its_channel_delivered_earlier_in_the_turn() -> None:
    fanout = new_fanout()
    (alice,) = await everybody(fanout, "alice")

    say(fanout, ROOM, "first")
    fanout.unsubscribe(alice.connection, ROOM)
    alice.transport.write(b"")

    assert alice.texts == ["first"]


def answer(person: Person, text: str, *, along: str) -> bool:
    piece = person.connection.format.piece(Publication("", {"type": "said", "text": text}))
    return person.connection.fanout.answer_along(person.connection, along, piece)


@pytest.mark.parametrize("size", [2, SUBSCRIBERS_PER_TURN + 1])
async def test_an_answer_goes_along_with_what_the_channel_delivers_in_one_write(size: int) -> None:
    fanout = new_fanout()
    alice, bob, *_ = await crowd(fanout, size)

    say(fanout, ROOM, "hello")
    assert answer(alice, "your hello is stored", along=ROOM)
    assert answer(alice, "so is the one before", along=ROOM)
    await turn(3)
    say(fanout, ROOM, "and on")
    await turn(3)

    assert len(alice.transport.writes) == 2
    assert alice.texts == ["your hello is stored", "so is the one before", "hello", "and on"]
    assert bob.texts == ["hello", "and on"]


async def test_an_answer_does_not_wait_for_a_channel_that_has_nothing_to_deliver() -> None:
    fanout = new_fanout()
    alice, bob = await everybody(fanout, "alice", "bob")
    (carol,) = [Person(fanout, "carol")]
    held = Person(fanout, "held", form=MSGPACK_FORMAT)
    await fanout.subscribe_held(held.connection, ROOM)

    assert not answer(alice, "too early", along=ROOM)
    assert not answer(alice, "nobody is there", along=OTHER)
    say(fanout, ROOM, "hello")
    assert not answer(carol, "not subscribed", along=ROOM)
    assert not answer(held, "not served now", along=ROOM)
    await turn()

    assert alice.texts == bob.texts == ["hello"]
    assert not carol.texts + held.texts


async def test_an_answer_that_was_to_go_along_reaches_who_is_congested_meanwhile() -> None:
    fanout = new_fanout()
    (alice,) = await everybody(fanout, "alice")
    await fanout.subscribe(alice.connection, OTHER)

    say(fanout, OTHER, "x" * (HIGH_WATER + 1))
    say(fanout, ROOM, "hello", position=1)
    alice.transport.capacity = 0
    assert answer(alice, "stored", along=ROOM)
    await turn()

    assert alice.connection.state is State.CONGESTED
    assert alice.texts[-1] == "stored"
    alice.transport.empty()
    assert alice.listener.missed == [{ROOM: 0}]


async def test_an_answer_that_was_to_go_along_reaches_who_leaves_in_the_same_turn() -> None:
    fanout = new_fanout()
    (alice,) = await everybody(fanout, "alice")

    say(fanout, ROOM, "hello")
    assert answer(alice, "stored", along=ROOM)
    fanout.unsubscribe(alice.connection, ROOM)
    await turn()

    await turn(3)
    assert alice.texts == ["stored", "hello"]
    assert is_bare(fanout)


async def test_an_event_that_cannot_be_encoded_reaches_nobody_and_harms_no_other() -> None:
    fanout = new_fanout()
    (alice,) = await everybody(fanout, "alice")
    bob = Person(fanout, "bob", form=MSGPACK_FORMAT)
    await fanout.subscribe(bob.connection, ROOM)

    with pytest.raises(TypeError):
        fanout.deliver(Publication(ROOM, {"type": "said", "text": 2**70}))
    say(fanout, ROOM, "fine")
    await turn()

    assert alice.texts == bob.texts == ["fine"]


async def test_writes_are_at_most_64_kb_and_cut_between_frames() -> None:
    fanout = new_fanout()
    (alice,) = await everybody(fanout, "alice")
    texts = [str(number) * 1000 for number in range(300)]

    for text in texts:
        say(fanout, ROOM, text)
    await turn()

    assert alice.texts == texts
    assert len(alice.transport.writes) > 2
    assert all(len(write) <= CHUNK_BYTES for write in alice.transport.writes)
    for write in alice.transport.writes:
        alice.transport.writes = [write]
        assert alice.texts[0] in texts


async def test_a_fanout_that_was_not_started_says_so() -> None:
    ping = Publication("", {"type": "ping"})
    fanout = Fanout(open_channel=opened_at_once, close_channel=opened_at_once, ping=lambda: ping)

    with pytest.raises(NotStarted):
        _ = fanout.loop


# More than one turn may serve.


async def crowd(fanout: Fanout, number: int, channel: str = ROOM) -> list[Person]:
    return await everybody(fanout, *(f"guest-{index}" for index in range(number)), channel=channel)


async def test_a_huge_room_is_served_over_several_turns_and_another_room_in_between() -> None:
    fanout = new_fanout()
    people = await crowd(fanout, 2 * SUBSCRIBERS_PER_TURN + 1)
    (dave,) = await everybody(fanout, "dave", channel=OTHER)

    say(fanout, ROOM, "to many")
    say(fanout, OTHER, "to one")
    await turn()

    served = sum(bool(person.transport.writes) for person in people)
    assert served == SUBSCRIBERS_PER_TURN
    await turn()
    assert dave.texts == ["to one"]
    await turn(3)
    assert all(person.texts == ["to many"] for person in people)


async def test_order_holds_while_people_come_and_go_between_the_turns_of_a_flush() -> None:
    fanout = new_fanout()
    people = await crowd(fanout, 2 * SUBSCRIBERS_PER_TURN)
    early, late = people[0], people[-1]

    say(fanout, ROOM, "one")
    await turn()
    assert early.texts == ["one"]
    assert not late.transport.writes
    fanout.unsubscribe(late.connection, ROOM)
    say(fanout, ROOM, "two")
    await turn()
    early.connection.lost(1006, "")
    erin = Person(fanout, "erin")
    await fanout.subscribe(erin.connection, ROOM)
    say(fanout, ROOM, "three")
    await turn(5)

    assert late.texts == ["one"]
    assert early.texts == ["one", "two"]
    assert erin.texts == ["three"]
    assert all(person.texts == ["one", "two", "three"] for person in people[1:-1])


async def test_random_comings_and_goings_in_a_huge_room_lose_and_reorder_nothing() -> None:
    chance = random.Random(7)
    fanout = new_fanout()
    present = await crowd(fanout, SUBSCRIBERS_PER_TURN + 50)
    expected: dict[Person, list[str]] = {person: [] for person in present}
    numbers = count()

    for _ in range(300):
        choice = chance.random()
        if choice < 0.5:
            text = f"message {next(numbers)}"
            say(fanout, ROOM, text)
            for person in present:
                expected[person].append(text)
        elif choice < 0.7 and len(present) > SUBSCRIBERS_PER_TURN:
            person = present.pop(chance.randrange(len(present)))
            leave = chance.choice(["unsubscribe", "close", "lose"])
            if leave == "unsubscribe":
                fanout.unsubscribe(person.connection, ROOM)
            elif leave == "close":
                person.connection.close()
            else:
                person.connection.lost(1006, "")
        elif choice < 0.8:
            person = Person(fanout, f"late-{next(numbers)}")
            await fanout.subscribe(person.connection, ROOM)
            expected[person] = []
            present.append(person)
        else:
            await turn()
    await turn(10)

    assert all(person.texts == texts for person, texts in expected.items())


# Congestion.


BIG = "x" * (HIGH_WATER // 2)


async def fill(fanout: Fanout, person: Person, channel: str = ROOM, *, position: int | None = None) -> None:
    """Publish large events until this connection, which takes nothing, is congested."""
    person.transport.capacity = 0
    for _ in range(3):
        say(fanout, channel, BIG, position=position)
        await turn()
    assert person.connection.state is State.CONGESTED


async def test_a_transport_that_raises_loses_its_connection_and_nobody_else_anything() -> None:
    fanout = new_fanout()
    alice, broken, bob = await everybody(fanout, "alice", "broken", "bob")

    def fail() -> None:
        raise OSError("the handle is closed")

    broken.transport.on_write = fail
    say(fanout, ROOM, "one")
    await turn()
    say(fanout, ROOM, "two")
    await turn()

    assert alice.texts == bob.texts == ["one", "two"]
    assert broken.transport.aborted
    assert not fanout.is_writing


async def test_a_congested_connection_gets_nothing_more_and_is_not_read_from() -> None:
    fanout = new_fanout()
    alice, slow = await everybody(fanout, "alice", "slow")
    await fill(fanout, slow)
    taken = len(slow.transport.writes)

    for _ in range(50):
        say(fanout, ROOM, "on and on")
        await turn()

    assert len(slow.transport.writes) == taken
    assert not slow.transport.reading
    assert slow.transport.backlog <= HIGH_WATER + CHUNK_BYTES
    assert alice.texts.count("on and on") == 50


async def test_a_burst_of_one_turn_stops_at_the_high_water_mark() -> None:
    fanout = new_fanout()
    alice, slow = await everybody(fanout, "alice", "slow")
    slow.transport.capacity = 0

    for _ in range(100):
        say(fanout, ROOM, "y" * 30_000)
    await turn()

    assert slow.transport.backlog <= HIGH_WATER + CHUNK_BYTES
    assert len(alice.texts) == 100


async def test_a_connection_that_empties_is_told_its_gaps_with_their_positions() -> None:
    fanout = new_fanout()
    (slow,) = await everybody(fanout, "slow")
    await fanout.subscribe(slow.connection, OTHER)
    say(fanout, ROOM, "early", position=7)
    await turn()
    slow.transport.capacity = 0
    say(fanout, OTHER, "z" * (HIGH_WATER + 1), position=3)
    await turn()
    assert slow.connection.state is State.CONGESTED

    for position in (8, 9):
        say(fanout, ROOM, "missed", position=position)
        await turn()
    slow.transport.empty()

    assert slow.listener.missed == [{ROOM: 7}]
    assert slow.transport.reading


async def test_a_gap_in_the_middle_of_one_turn_s_burst_begins_before_the_burst() -> None:
    fanout = new_fanout()
    (slow,) = await everybody(fanout, "slow")
    say(fanout, ROOM, "early", position=7)
    await turn()
    slow.transport.capacity = 0

    for position in range(8, 20):
        say(fanout, ROOM, BIG, position=position)
    await turn()
    slow.transport.empty()

    assert len(slow.texts) < 13
    assert slow.listener.missed == [{ROOM: 7}]


async def test_missing_only_ephemeral_events_leaves_no_gap() -> None:
    fanout = new_fanout()
    (slow,) = await everybody(fanout, "slow")
    await fill(fanout, slow)
    slow.transport.empty()
    slow.listener.missed.clear()
    slow.transport.capacity = 0
    say(fanout, ROOM, "w" * (HIGH_WATER + 1))
    await turn()

    say(fanout, ROOM, "typing", ephemeral=True)
    await turn()
    slow.transport.empty()

    assert slow.listener.missed == [{}]


async def test_a_connection_that_has_caught_up_is_served_again() -> None:
    fanout = new_fanout()
    (slow,) = await everybody(fanout, "slow")
    await fill(fanout, slow)

    slow.transport.empty()
    say(fanout, ROOM, "again")
    await turn()

    assert slow.connection.state is State.OPEN
    assert slow.texts[-1] == "again"


async def test_a_congested_connection_that_joins_is_served_after_it_has_caught_up() -> None:
    fanout = new_fanout()
    (slow,) = await everybody(fanout, "slow")
    await fill(fanout, slow)

    await fanout.subscribe(slow.connection, OTHER)
    say(fanout, OTHER, "missed", position=1)
    await turn()
    slow.transport.empty()
    say(fanout, OTHER, "served", position=2)
    await turn()

    assert OTHER in slow.listener.missed[-1]
    assert slow.texts[-1] == "served"


async def test_a_buffer_that_fills_between_two_turns_of_a_flush_leaves_a_gap() -> None:
    fanout = new_fanout()
    people = await crowd(fanout, 2 * SUBSCRIBERS_PER_TURN)
    slow = people[-1]
    say(fanout, ROOM, "early", position=1)
    await turn(4)
    slow.transport.capacity = 0

    for position in range(2, 6):
        say(fanout, ROOM, BIG, position=position)
    await turn()
    # An answer to this person alone, while the flush waits for its next turn.
    slow.transport.write(bytes(HIGH_WATER + 1))
    assert slow.connection.state is State.CONGESTED
    await turn(20)
    slow.transport.writes.pop(-1)
    slow.transport.empty()

    assert slow.listener.missed == [{ROOM: 1}]


async def test_a_connection_that_fills_and_empties_within_one_write_stays_served() -> None:
    fanout = new_fanout()
    (quick,) = await everybody(fanout, "quick")
    quick.transport.capacity = 0
    quick.transport.on_write = lambda: fanout.loop.call_soon(quick.transport.empty)

    for number in range(10):
        say(fanout, ROOM, f"{number} {BIG}")
        await turn(3)

    assert [text.split()[0] for text in quick.texts] == [str(number) for number in range(10)]


async def test_a_connection_that_empties_and_fills_again_within_one_flush_stays_left_out() -> None:
    fanout = new_fanout()
    slow = (await crowd(fanout, SUBSCRIBERS_PER_TURN))[-1]
    slow.transport.capacity = 0
    slow.transport.write(bytes(HIGH_WATER - 100))
    for _ in range(4):
        say(fanout, ROOM, BIG, ephemeral=True)

    await turn()  # the first part fills its buffer, and the flush waits for its next turn
    assert slow.connection.state is State.CONGESTED
    slow.transport.backlog = 0
    slow.connection.emptied()  # the rest of the flush fills it again
    taken = len(slow.transport.writes)
    say(fanout, ROOM, "typing", ephemeral=True)
    await turn(3)

    assert slow.connection.state is State.CONGESTED
    assert not slow.transport.reading
    assert len(slow.transport.writes) == taken


async def test_emptying_in_the_middle_of_a_flush_waits_for_its_end() -> None:
    fanout = new_fanout()
    slow, other = await everybody(fanout, "slow", "other")
    await fill(fanout, slow)
    other.transport.on_write = slow.transport.empty

    say(fanout, ROOM, "hello", position=1)
    fanout.flushing.flush_turn()
    assert not slow.listener.missed
    await turn()

    assert slow.connection.state is State.OPEN
    assert slow.listener.missed


# Deadlines.


async def test_a_connection_without_progress_is_dropped_after_the_stall_timeout() -> None:
    clock = Clock(asyncio.get_running_loop())
    fanout = new_fanout(clock=clock, stall=10.0, patience=60.0)
    (slow,) = await everybody(fanout, "slow")
    await fill(fanout, slow)

    clock.now += 10
    fanout.deadlines.check()
    assert not slow.transport.aborted
    clock.now += 0.1
    fanout.deadlines.check()

    assert slow.transport.aborted


async def test_a_connection_with_some_progress_gets_more_time_but_not_for_ever() -> None:
    clock = Clock(asyncio.get_running_loop())
    fanout = new_fanout(clock=clock, stall=10.0, patience=60.0)
    (slow,) = await everybody(fanout, "slow")
    await fill(fanout, slow)

    for _ in range(12):
        clock.now += 5
        slow.transport.backlog -= 1
        fanout.deadlines.check()
        assert not slow.transport.aborted
    clock.now += 0.1
    slow.transport.backlog -= 1
    fanout.deadlines.check()

    assert slow.transport.aborted


async def test_a_client_that_answers_no_close_frame_is_dropped_after_its_deadline() -> None:
    clock = Clock(asyncio.get_running_loop())
    fanout = new_fanout(clock=clock, close_timeout=5.0)
    (alice,) = await everybody(fanout, "alice")
    alice.connection.close(1000)

    clock.now += 5
    fanout.deadlines.check()
    assert not alice.transport.aborted
    clock.now += 0.1
    fanout.deadlines.check()

    assert alice.transport.aborted


async def test_deadlines_end_with_their_connection() -> None:
    clock = Clock(asyncio.get_running_loop())
    fanout = new_fanout(clock=clock)
    slow, alice = await everybody(fanout, "slow", "alice")
    await fill(fanout, slow)
    alice.connection.close(1000)

    slow.connection.lost(1006, "")
    alice.connection.lost(1006, "")
    clock.now += 1000
    fanout.deadlines.check()
    await turn(10)

    assert not slow.transport.aborted
    assert not alice.transport.aborted
    assert is_bare(fanout)


# Heartbeats.


async def test_everybody_is_pinged_once_in_a_heartbeat_with_frame_and_event() -> None:
    fanout = new_fanout()
    people = [Person(fanout, f"guest-{index}") for index in range(2 * BEATS)]

    for _ in range(BEATS):
        fanout.heartbeat.beat()

    for person in people:
        assert [int(frame.opcode) for frame in person.frames] == [9, 1]
        assert person.events == [{"type": "ping"}]


async def test_the_pings_of_those_who_came_at_different_times_are_spread() -> None:
    fanout = new_fanout()
    people = []
    for index in range(BEATS):
        people.append(Person(fanout, f"guest-{index}"))
        fanout.heartbeat.beat()

    before = [len(person.transport.writes) for person in people]
    fanout.heartbeat.beat()

    assert sum(len(person.transport.writes) - old for person, old in zip(people, before, strict=True)) == 1


async def test_a_client_that_is_silent_for_two_heartbeats_is_closed_with_4408() -> None:
    fanout = new_fanout()
    silent, lively, deaf = Person(fanout, "silent"), Person(fanout, "lively"), Person(fanout, "deaf")
    deaf.transport.hears_pongs = False

    for beat in range((SILENT_BEATS + 1) * BEATS):
        fanout.heartbeat.beat()
        if beat % BEATS == 0:
            lively.connection.received([])

    assert silent.transport.closed_with == (4408, "no frame for two heartbeats")
    assert lively.transport.closed_with is None
    # On another ASGI server, pongs do not reach us: that server has to notice a dead client.
    assert deaf.transport.closed_with is None


async def test_one_that_the_server_does_not_read_from_is_not_closed_for_its_silence() -> None:
    fanout = new_fanout()
    waiting = Person(fanout, "waiting")

    waiting.connection.pause(Pause.ORDER)
    for _ in range(10 * BEATS):
        fanout.heartbeat.beat()
    assert waiting.connection.is_open
    assert len(waiting.frames) == 2 * 10  # it is pinged all the same

    waiting.connection.resume(Pause.ORDER)
    for _ in range((SILENT_BEATS + 1) * BEATS):
        fanout.heartbeat.beat()
    assert waiting.transport.closed_with == (4408, "no frame for two heartbeats")


async def test_nobody_is_blamed_for_the_time_in_which_the_server_was_frozen() -> None:
    clock = Clock(asyncio.get_running_loop())
    fanout = new_fanout(clock=clock, stall=10.0, patience=60.0, close_timeout=5.0)
    (slow,) = await everybody(fanout, "slow")
    closing, silent = Person(fanout, "closing"), Person(fanout, "silent")
    silent.connection.silent_beats = SILENT_BEATS
    await fill(fanout, slow)
    closing.connection.close()

    clock.now += 40
    fanout.notice_freeze()
    fanout.deadlines.check()
    fanout.heartbeat.beat()
    assert [person.transport.aborted for person in (slow, closing)] == [False, False]
    assert silent.connection.is_open
    assert silent.connection.unread == 40

    for _ in range(11):
        clock.now += 1
        fanout.notice_freeze()
        fanout.deadlines.check()
    assert [person.transport.aborted for person in (slow, closing)] == [True, True]
    assert silent.connection.unread == 40


async def test_a_congested_connection_is_not_pinged() -> None:
    fanout = new_fanout()
    (slow,) = await everybody(fanout, "slow")
    await fill(fanout, slow)
    taken = len(slow.transport.writes)

    for _ in range(5 * BEATS):
        fanout.heartbeat.beat()

    assert len(slow.transport.writes) == taken
    assert slow.transport.closed_with is None


# Nothing stays behind.


async def test_a_channel_is_opened_for_the_first_and_closed_after_the_last() -> None:
    calls: list[str] = []

    async def opening(name: str) -> None:
        calls.append(f"open {name}")

    async def closing(name: str) -> None:
        calls.append(f"close {name}")

    fanout = new_fanout(open_channel=opening, close_channel=closing)
    alice, bob = await everybody(fanout, "alice", "bob")
    assert calls == [f"open {ROOM}"]
    fanout.unsubscribe(alice.connection, ROOM)
    await turn(10)
    assert calls == [f"open {ROOM}"]
    bob.connection.lost(1006, "")
    await turn(10)

    assert calls == [f"open {ROOM}", f"close {ROOM}"]
    assert is_bare(fanout)


async def test_nobody_is_subscribed_before_the_broker_has_confirmed() -> None:
    confirmed = asyncio.Event()

    async def slow_opening(name: str) -> None:
        await confirmed.wait()

    fanout = new_fanout(open_channel=slow_opening)
    alice = Person(fanout, "alice")
    joining = asyncio.ensure_future(fanout.subscribe(alice.connection, ROOM))
    await turn(5)
    assert not joining.done()
    assert not alice.connection.channels

    confirmed.set()
    await joining

    assert fanout.subscribers(ROOM) == [alice.connection]


async def test_a_connection_that_ends_before_the_broker_confirms_is_not_subscribed() -> None:
    confirmed = asyncio.Event()

    async def slow_opening(name: str) -> None:
        await confirmed.wait()

    fanout = new_fanout(open_channel=slow_opening)
    alice = Person(fanout, "alice")
    joining = asyncio.ensure_future(fanout.subscribe(alice.connection, ROOM))
    await turn(2)
    alice.connection.lost(1006, "")
    confirmed.set()
    await joining
    await turn(10)

    assert not fanout.subscribers(ROOM)
    assert is_bare(fanout)


async def test_a_broker_that_refuses_is_everybody_s_error_and_the_next_one_may_try_again() -> None:
    attempts = count()

    async def failing_once(name: str) -> None:
        attempt = next(attempts)
        await turn(2)
        if attempt == 0:
            raise ConnectionError("no broker")

    fanout = new_fanout(open_channel=failing_once)
    alice, bob = Person(fanout, "alice"), Person(fanout, "bob")

    results = await asyncio.gather(
        fanout.subscribe(alice.connection, ROOM), fanout.subscribe(bob.connection, ROOM), return_exceptions=True
    )
    assert [type(result) for result in results] == [ConnectionError, ConnectionError]
    assert is_bare(fanout)
    await fanout.subscribe(alice.connection, ROOM)

    assert fanout.subscribers(ROOM) == [alice.connection]


async def test_a_channel_whose_only_joiner_gave_up_is_closed_again() -> None:
    confirmed = asyncio.Event()
    calls: list[str] = []

    async def slow_opening(name: str) -> None:
        calls.append("open")
        await confirmed.wait()
        calls.append("opened")

    async def closing(name: str) -> None:
        calls.append("close")

    fanout = new_fanout(open_channel=slow_opening, close_channel=closing)
    alice = Person(fanout, "alice")
    joining = asyncio.ensure_future(fanout.subscribe(alice.connection, ROOM))
    await turn(2)
    joining.cancel()
    await turn(2)
    confirmed.set()
    await turn(10)

    assert calls == ["open", "opened", "close"]
    assert is_bare(fanout)


async def test_a_broker_that_fails_to_close_is_logged_and_leaves_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def failing(name: str) -> None:
        raise ConnectionError("no broker")

    fanout = new_fanout(close_channel=failing)
    (alice,) = await everybody(fanout, "alice")
    fanout.unsubscribe(alice.connection, ROOM)
    await turn(10)

    assert "could not be closed" in caplog.text
    assert is_bare(fanout)


class ShakyBroker:
    """A broker that confirms after a while, not in order, and fails now and then."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.followed: set[str] = set()
        self.busy: set[str] = set()

    async def subscribe(self, channel: str) -> None:
        async with self._alone(channel):
            await turn(self._chance.randrange(4))
            if self._chance.random() < 0.2:
                raise ConnectionError("no broker")
            self.followed.add(channel)

    async def unsubscribe(self, channel: str) -> None:
        async with self._alone(channel):
            await turn(self._chance.randrange(4))
            self.followed.discard(channel)

    def _alone(self, channel: str) -> "_Alone":
        return _Alone(self.busy, channel)


class _Alone:
    def __init__(self, busy: set[str], channel: str) -> None:
        self._busy, self._channel = busy, channel

    async def __aenter__(self) -> None:
        assert self._channel not in self._busy, "two calls about one channel at a time"
        self._busy.add(self._channel)

    async def __aexit__(self, *_: object) -> None:
        self._busy.discard(self._channel)


@pytest.mark.parametrize("seed", range(5))
async def test_a_storm_of_joins_and_leaves_on_a_shaky_broker_leaves_nothing_behind(seed: int) -> None:
    chance = random.Random(seed)
    broker = ShakyBroker(chance)
    fanout = new_fanout(open_channel=broker.subscribe, close_channel=broker.unsubscribe)
    people = [Person(fanout, f"guest-{index}") for index in range(20)]
    joins: dict[Person, asyncio.Task[None]] = {}
    begun: list[asyncio.Task[None]] = []

    for _ in range(2000):
        person = chance.choice(people)
        choice = chance.random()
        task = joins.get(person)
        if task is not None and not task.done():
            if choice < 0.3:
                task.cancel()
        elif ROOM in person.connection.channels:
            fanout.unsubscribe(person.connection, ROOM)
        else:
            joins[person] = asyncio.ensure_future(fanout.subscribe(person.connection, ROOM))
            begun.append(joins[person])
        if choice < 0.5:
            await turn()
        joined = fanout.subscribers(ROOM)
        assert not joined or ROOM in broker.followed
    await asyncio.gather(*begun, return_exceptions=True)
    for person in people:
        person.connection.lost(1006, "")
    await turn(30)

    assert not broker.followed
    assert is_bare(fanout)
    assert not fanout.connections
    assert fanout.heartbeat.is_empty


async def test_the_last_one_gone_ends_the_wait_for_an_empty_hub() -> None:
    fanout = new_fanout()
    alice, bob = Person(fanout, "alice"), Person(fanout, "bob")
    waiting = asyncio.ensure_future(fanout.connections.wait_until_empty(30))
    await turn()
    alice.connection.lost(1006, "")
    await turn(2)
    assert not waiting.done()

    bob.connection.lost(1006, "")

    await asyncio.wait_for(waiting, 10)
    assert not fanout.connections


def test_the_sizes_of_this_file_s_messages_fit_its_marks() -> None:
    assert HIGH_WATER // 2 < size_of(BIG) < HIGH_WATER
