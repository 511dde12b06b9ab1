"""Membership of a connection in a channel: each change is in the table, and nothing else happens."""

from collections.abc import Callable

import pytest

from hubbub.delivery.channel import Channel, Gap
from hubbub.delivery.connection import Connection
from hubbub.delivery.membership import (
    TRANSITIONS,
    Membership,
    Signal,
    empty,
    fill,
    hold,
    join,
    join_held,
    leave,
    let_go,
    membership,
    miss,
)
from tests.delivery.links import Person, new_fanout


def empty_with_gap(channel: Channel, connection: Connection) -> None:
    """The connection misses something first, so that there is a gap."""
    if connection in channel.held:
        channel.held[connection].gap = Gap(1)
    miss(channel, Gap(1))
    empty(channel, connection)


CHANGES: dict[Signal, Callable[[Channel, Connection], object]] = {
    Signal.JOIN: join,
    Signal.JOIN_HELD: join_held,
    Signal.FILL: lambda channel, connection: fill(channel, connection, None),
    Signal.EMPTY: empty,
    Signal.EMPTY_WITH_GAP: empty_with_gap,
    Signal.HOLD: hold,
    Signal.LET_GO: let_go,
    Signal.LEAVE: leave,
}

WAYS: dict[Membership, list[Signal]] = {
    Membership.ABSENT: [],
    Membership.LIVE: [Signal.JOIN],
    Membership.CONGESTED: [Signal.JOIN, Signal.FILL],
    Membership.HELD: [Signal.JOIN_HELD],
}


def member(state: Membership) -> tuple[Channel, Connection]:
    channel, connection = Channel("room:lobby"), Person(new_fanout(), "alice").connection
    for signal in WAYS[state]:
        CHANGES[signal](channel, connection)
    assert membership(channel, connection) is state
    return channel, connection


@pytest.mark.parametrize(("state", "signal"), TRANSITIONS)
async def test_each_transition_of_the_table_leads_where_it_says(state: Membership, signal: Signal) -> None:
    channel, connection = member(state)

    CHANGES[signal](channel, connection)

    assert membership(channel, connection) is TRANSITIONS[state, signal]
    places = list(channel.subscribers())
    assert places == ([] if TRANSITIONS[state, signal] is Membership.ABSENT else [connection])
    assert channel.is_empty == (not places)


UNDEFINED = [
    (state, signal)
    for state in Membership
    for signal in Signal
    # Without a gap or a hold, these signals cannot be given.
    if (state, signal) not in TRANSITIONS and signal not in {Signal.EMPTY_WITH_GAP, Signal.LET_GO}
]


@pytest.mark.parametrize(("state", "signal"), UNDEFINED)
async def test_a_transition_that_is_not_in_the_table_raises_and_changes_nothing(
    state: Membership, signal: Signal
) -> None:
    channel, connection = member(state)

    with pytest.raises(RuntimeError, match=f"{state.value} in 'room:lobby' cannot {signal.value}"):
        CHANGES[signal](channel, connection)

    assert membership(channel, connection) is state


async def test_only_the_first_gap_counts() -> None:
    channel, connection = member(Membership.CONGESTED)

    miss(channel, Gap(3))
    miss(channel, Gap(4))

    assert empty(channel, connection) == Gap(3)
    assert membership(channel, connection) is Membership.HELD


async def test_the_last_hold_that_ends_makes_a_connection_live() -> None:
    channel, connection = member(Membership.HELD)
    hold(channel, connection)

    assert not let_go(channel, connection)
    assert membership(channel, connection) is Membership.HELD
    assert let_go(channel, connection)
    assert membership(channel, connection) is Membership.LIVE
