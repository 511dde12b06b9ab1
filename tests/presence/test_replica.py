"""What a cluster's connections are told of people, and what they are not: step by step, on a real Redis."""

from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis as Client

from hubbub.presence.crowd import NAMED_UP_TO
from hubbub.presence.replica import LARGE_EVERY, OTHERS_KEPT, SETTLING, TRANSITIONS, Replica, Signal, Standing
from hubbub.wire.identity import User
from hubbub.wire.rooms import USERS_OF_MANY
from tests.presence.nodes import PREFIX, SCRIPT, Heard, Node, person, settle
from tests.servers import Redis

ROOM = "room:lobby"
ALICE, BOB, CAROL = User("alice", "Alice"), User("bob", "Bob"), User("carol", "Carol")


@pytest.fixture
def client(redis: Redis) -> Iterator[Any]:
    with Client.from_url(redis.url) as client:
        yield client


@pytest.fixture
def a(client: Any) -> Node:
    return Node("a", client)


@pytest.fixture
def b(client: Any) -> Node:
    return Node("b", client)


@pytest.fixture
def c(client: Any) -> Node:
    return Node("c", client)


def all_in(*nodes: Node, people: int, room: str = ROOM) -> None:
    """As many people for each node, one after the other; nobody has heard of it yet."""
    for index, node in enumerate(nodes):
        for number in range(people):
            node.enter(room, person(index * people + number))
    settle(*nodes)
    for node in nodes:
        node.heard.take()


def test_the_script_agrees_on_how_many_are_many() -> None:
    assert f"local NAMED_UP_TO = {NAMED_UP_TO} " in SCRIPT
    assert f"local SHOWN_OF_LARGE = {USERS_OF_MANY}\n" in SCRIPT


def test_a_user_counts_once_however_many_nodes_have_them(a: Node, b: Node) -> None:
    settle(a, b)
    a.enter(ROOM, ALICE)
    a.enter(ROOM, BOB)
    settle(a, b)
    b.enter(ROOM, BOB)
    settle(a, b)

    assert a.heard.take() == [("joined", "alice", 1), ("joined", "bob", 2)]
    assert b.heard.take() == []
    assert a.shown(ROOM) == b.shown(ROOM) == ["alice", "bob"]

    a.exit(ROOM, BOB)
    settle(a, b)
    assert a.heard.take() == b.heard.take() == []
    b.exit(ROOM, BOB)
    settle(a, b)
    assert a.heard.take() == [("left", "bob", 1)]


def test_each_node_with_somebody_there_hears_of_it_once_and_no_other(a: Node, b: Node, c: Node) -> None:
    settle(a, b, c)
    a.enter(ROOM, ALICE)
    b.enter(ROOM, BOB)
    c.enter("room:other", CAROL)
    settle(a, b, c)
    a.exit(ROOM, ALICE)
    settle(a, b, c)

    assert a.heard.take() == [("joined", "alice", 1), ("joined", "bob", 2)]
    assert b.heard.take() == [("joined", "bob", 2), ("left", "alice", 1)]
    assert c.heard.take() == [("joined", "carol", 1)]
    assert c.replica.crowd(ROOM) is None


def test_people_of_a_node_that_died_go_together_and_once(a: Node, b: Node, c: Node) -> None:
    settle(a, b, c)
    for node, user in ((a, ALICE), (b, BOB), (c, CAROL)):
        node.enter(ROOM, user)
    for number in range(3):
        c.enter(ROOM, person(number))
    settle(a, b, c)
    a.heard.take(), b.heard.take()

    c.let_lease_run_out()
    settle(a, b)

    gone = {("User-0"), ("User-1"), ("User-2"), ("carol")}
    for node in (a, b):
        events = node.heard.take()
        assert {who for what, who, _ in events if what == "left"} == gone
        assert len(events) == len(gone)
        assert sorted(node.shown(ROOM)) == ["alice", "bob"]


def test_who_comes_back_on_another_node_before_the_lease_ends_was_never_away(a: Node, b: Node, c: Node) -> None:
    settle(a, b, c)
    a.enter(ROOM, ALICE)
    for number in range(40):
        c.enter(ROOM, person(number))
    settle(a, b, c)
    a.heard.take()

    for number in range(40):
        (a if number % 2 else b).enter(ROOM, person(number))
    settle(a, b)
    c.let_lease_run_out()
    settle(a, b)

    assert a.heard.take() == []
    assert a.online(ROOM) == b.online(ROOM) == 41


def test_a_frozen_node_that_comes_back_registers_its_people_again(a: Node, b: Node) -> None:
    settle(a, b)
    a.enter(ROOM, ALICE)
    b.enter(ROOM, BOB)
    settle(a, b)
    a.heard.take(), b.heard.take()

    b.let_lease_run_out()
    settle(a)
    a.enter(ROOM, CAROL)
    settle(a)
    assert a.heard.take() == [("left", "bob", 1), ("joined", "carol", 2)]
    settle(a, b)

    assert a.heard.take() == [("joined", "bob", 3)]
    assert b.heard.take() == [("joined", "carol", 3)]
    assert sorted(a.shown(ROOM)) == sorted(b.shown(ROOM)) == ["alice", "bob", "carol"]


@pytest.mark.parametrize("way", ["step_without_answer", "step_that_never_comes"])
def test_a_lost_answer_is_heard_of_by_nobody(a: Node, b: Node, way: str) -> None:
    settle(a, b)
    a.enter(ROOM, ALICE)
    b.enter(ROOM, BOB)
    settle(a, b)
    a.heard.take(), b.heard.take()

    b.enter(ROOM, CAROL)
    getattr(b, way)()
    settle(a, b)

    assert a.heard.take() == [("joined", "carol", 3)]
    assert b.heard.take() == [("joined", "carol", 3)]
    assert sorted(a.shown(ROOM)) == sorted(b.shown(ROOM)) == ["alice", "bob", "carol"]


def test_without_redis_a_node_shows_its_own_and_for_a_while_the_last_of_the_others(a: Node, b: Node) -> None:
    settle(a, b)
    a.enter(ROOM, ALICE)
    b.enter(ROOM, BOB)
    settle(a, b)
    a.heard.take()

    a.step_that_never_comes()
    a.enter(ROOM, CAROL)
    a.exit(ROOM, ALICE)
    assert a.heard.take() == [("joined", "carol", 3), ("left", "alice", 2)]
    assert a.shown(ROOM) == ["bob", "carol"]
    a.now += OTHERS_KEPT - 1
    a.replica.tick()
    assert a.shown(ROOM) == ["bob", "carol"]
    a.now += 1
    a.replica.tick()
    assert a.shown(ROOM) == ["carol"]
    assert a.heard.take() == [("left", "bob", 1)]

    settle(a, b)
    assert a.heard.take() == [("joined", "bob", 2)]
    assert b.heard.take()[-2:] == [("joined", "carol", 3), ("left", "alice", 2)]


def test_when_redis_was_emptied_nobody_comes_or_goes(a: Node, b: Node, client: Any) -> None:
    settle(a, b)
    all_in(a, b, people=30)

    client.flushall()
    for _ in range(5):
        a.step()
    a.now += SETTLING - 1
    for _ in range(5):
        b.step()
        a.step()
    assert a.online(ROOM) == b.online(ROOM) == 60
    a.now += SETTLING
    b.now += SETTLING
    settle(a, b)

    assert a.heard.take() == b.heard.take() == []
    assert a.online(ROOM) == b.online(ROOM) == 60


def test_after_redis_was_emptied_those_of_a_dead_node_go_in_the_end(a: Node, b: Node, client: Any) -> None:
    settle(a, b)
    a.enter(ROOM, ALICE)
    b.enter(ROOM, BOB)
    settle(a, b)
    a.heard.take()

    client.flushall()
    for _ in range(5):
        a.step()
    assert a.shown(ROOM) == ["alice", "bob"]
    a.now += SETTLING
    settle(a)

    assert a.heard.take() == [("left", "bob", 1)]


def test_when_redis_stood_still_no_node_is_taken_for_dead(a: Node, b: Node, client: Any) -> None:
    settle(a, b)
    a.enter(ROOM, ALICE)
    b.enter(ROOM, BOB)
    settle(a, b)
    a.heard.take()

    # All leases ran out in the same minute, in which nobody could renew one.
    client.set(f"{PREFIX}last_step", int(client.get(f"{PREFIX}last_step") or 0) - 60_000)
    a.let_lease_run_out()
    b.let_lease_run_out()
    settle(a)

    assert a.heard.take() == []
    assert a.shown(ROOM) == ["alice", "bob"]


def test_a_clock_of_redis_that_is_set_back_keeps_no_dead_node_alive(a: Node, b: Node, client: Any) -> None:
    settle(a, b)
    a.enter(ROOM, ALICE)
    b.enter(ROOM, BOB)
    settle(a, b)

    an_hour = 3_600_000
    client.set(f"{PREFIX}last_step", int(client.get(f"{PREFIX}last_step") or 0) + an_hour)
    client.zincrby(f"{PREFIX}leases", an_hour, b.replica.node)
    settle(a)
    lease_left = (client.zscore(f"{PREFIX}leases", b.replica.node) or 0) - int(client.get(f"{PREFIX}last_step") or 0)

    assert lease_left < an_hour / 2


def test_above_a_hundred_there_is_a_count_and_the_first_twenty(a: Node, b: Node) -> None:
    settle(a, b)
    all_in(a, b, people=50)
    assert len(a.shown(ROOM)) == 100

    b.enter(ROOM, ALICE)
    settle(a, b)
    assert a.heard.take() == b.heard.take() == [("counted", ROOM, 0)]
    assert a.online(ROOM) == b.online(ROOM) == 101
    assert a.shown(ROOM) == b.shown(ROOM) == [f"User-{number}" for number in range(20)]

    b.exit(ROOM, ALICE)
    settle(a, b)
    assert a.heard.take() == b.heard.take() == [("counted", ROOM, 0)]
    assert len(a.shown(ROOM)) == 100
    b.exit(ROOM, person(99))
    settle(a, b)
    assert a.heard.take() == [("left", "User-99", 99)]


def test_a_node_tells_what_changed_among_many_once_a_second(a: Node, b: Node) -> None:
    settle(a, b)
    all_in(a, b, people=60)

    for number in range(60, 90):
        b.exit(ROOM, person(number))
    b.enter(ROOM, person(60))
    assert b.replica.step().operations == []
    assert not b.replica.is_urgent
    b.now += LARGE_EVERY
    told = b.replica.step().operations

    assert len(told) == 30


def test_who_gets_the_key_of_another_comes_as_somebody_else(a: Node, b: Node) -> None:
    guest = User("alice", "Al", guest=True, identity="1")
    settle(a, b)
    a.enter(ROOM, BOB)
    b.enter(ROOM, guest)
    settle(a, b)
    a.heard.take()

    a.enter(ROOM, ALICE)
    settle(a, b)

    assert a.heard.take() == [("left", "alice", 1), ("joined", "alice", 2)]
    assert [(user.name, user.guest) for user in a.replica.crowd(ROOM).users()] == [("Bob", None), ("Alice", None)]  # type: ignore[union-attr]


def test_nothing_is_left_of_those_who_are_gone(a: Node, b: Node, client: Any) -> None:
    settle(a, b)
    all_in(a, b, people=60)
    for number in range(120):
        (a if number < 60 else b).exit(ROOM, person(number))
    settle(a, b)

    left = {key.decode().removeprefix(PREFIX) for key in client.keys("*")}
    assert left == {"leases", "last_step", "memory", "arrivals"}


@pytest.mark.parametrize("standing", Standing)
@pytest.mark.parametrize("signal", Signal)
def test_a_transition_that_is_not_in_the_table_raises(standing: Standing, signal: Signal) -> None:
    replica = Replica("a", clock=lambda: 0.0, audience=Heard())
    replica.standing = standing
    if (standing, signal) in TRANSITIONS:
        replica._change(signal)
        assert replica.standing is TRANSITIONS[standing, signal]
    else:
        with pytest.raises(RuntimeError, match=f"a node that is {standing} cannot {signal}"):
            replica._change(signal)
