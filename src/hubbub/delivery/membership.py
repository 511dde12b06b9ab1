"""Membership: whether a connection is served in a channel now (live), left out (congested), or kept waiting (held).

Only this module changes it, as its table says. It writes nothing and knows no time: `flushing.py` and `hold.py` do what
a membership means for the bytes.
"""

from __future__ import annotations

from enum import StrEnum

from hubbub.delivery.channel import Channel, Gap, Held
from hubbub.delivery.connection import Connection


class Membership(StrEnum):
    ABSENT = "absent"
    LIVE = "live"
    """Each flush writes to it."""
    CONGESTED = "congested"
    """It is left out. Its gap is the position after which it has missed something."""
    HELD = "held"
    """What is published is kept for it until it has got what was read from the store."""


class Signal(StrEnum):
    JOIN = "join"
    JOIN_HELD = "join held"
    FILL = "fill"
    """Its buffer is full."""
    EMPTY = "empty"
    """Its buffer has emptied, and it has missed nothing."""
    EMPTY_WITH_GAP = "empty with a gap"
    """Its buffer has emptied, and what it missed is being read for it."""
    HOLD = "hold"
    LET_GO = "let go"
    """The last hold has ended."""
    LEAVE = "leave"


TRANSITIONS: dict[tuple[Membership, Signal], Membership] = {
    (Membership.ABSENT, Signal.JOIN): Membership.LIVE,
    (Membership.ABSENT, Signal.JOIN_HELD): Membership.HELD,
    # A connection that closes leaves its channels at once, and once more when its link is gone.
    (Membership.ABSENT, Signal.LEAVE): Membership.ABSENT,
    (Membership.LIVE, Signal.FILL): Membership.CONGESTED,
    # Its buffer emptied before it was left out.
    (Membership.LIVE, Signal.EMPTY): Membership.LIVE,
    (Membership.LIVE, Signal.HOLD): Membership.HELD,
    (Membership.LIVE, Signal.LEAVE): Membership.ABSENT,
    (Membership.CONGESTED, Signal.EMPTY): Membership.LIVE,
    (Membership.CONGESTED, Signal.EMPTY_WITH_GAP): Membership.HELD,
    (Membership.CONGESTED, Signal.HOLD): Membership.HELD,
    (Membership.CONGESTED, Signal.LEAVE): Membership.ABSENT,
    # Nothing is written to it as long as it is held, so a full buffer changes nothing.
    (Membership.HELD, Signal.FILL): Membership.HELD,
    (Membership.HELD, Signal.EMPTY): Membership.HELD,
    (Membership.HELD, Signal.EMPTY_WITH_GAP): Membership.HELD,
    (Membership.HELD, Signal.HOLD): Membership.HELD,
    (Membership.HELD, Signal.LET_GO): Membership.LIVE,
    (Membership.HELD, Signal.LEAVE): Membership.ABSENT,
}


def membership(channel: Channel, connection: Connection) -> Membership:
    if connection in channel.held:
        return Membership.HELD
    if connection in channel.congested:
        return Membership.CONGESTED
    if connection in channel.writers.get(connection.format, ()):
        return Membership.LIVE
    return Membership.ABSENT


def join(channel: Channel, connection: Connection) -> None:
    """A connection subscribes. If its buffer is full, `fill` must follow."""
    _change(channel, connection, Signal.JOIN)


def join_held(channel: Channel, connection: Connection) -> None:
    """A connection subscribes, and must catch up before it is live. One hold is on it."""
    _change(channel, connection, Signal.JOIN_HELD)


def leave(channel: Channel, connection: Connection) -> None:
    _change(channel, connection, Signal.LEAVE)


def fill(channel: Channel, connection: Connection, gap: Gap | None) -> bool:
    """A connection's buffer is full. `gap` is what it has missed already. Returns whether it is left out from now
    on."""
    if _change(channel, connection, Signal.FILL) is Membership.HELD:
        return False
    channel.congested[connection] = gap
    return True


def miss(channel: Channel, gap: Gap) -> None:
    """Something is written that congested connections do not get. The gap of those that have none begins here."""
    for connection, earlier in channel.congested.items():
        channel.congested[connection] = earlier or gap


def empty(channel: Channel, connection: Connection) -> Gap | None:
    """A connection's buffer has emptied. Returns what it has missed. If it has, one more hold is on it until that is
    read."""
    held = channel.held.get(connection)
    gap = channel.congested.get(connection) if held is None else held.gap
    if gap is None:
        _change(channel, connection, Signal.EMPTY)
        return None
    _change(channel, connection, Signal.EMPTY_WITH_GAP)
    if held is not None:
        held.gap = None
        held.holds += 1
    return gap


def hold(channel: Channel, connection: Connection) -> None:
    """One more hold is on a connection. What it has missed before is not forgotten."""
    held = channel.held.get(connection)
    gap = channel.congested.get(connection)
    _change(channel, connection, Signal.HOLD)
    if held is None:
        channel.held[connection].gap = gap
    else:
        held.holds += 1


def let_go(channel: Channel, connection: Connection) -> bool:
    """One hold has ended. Returns whether it was the last one: then the connection is live. If its buffer is full,
    `fill` must follow."""
    held = channel.held[connection]
    held.holds -= 1
    if held.holds:
        return False
    _change(channel, connection, Signal.LET_GO)
    return True


def _change(channel: Channel, connection: Connection, signal: Signal) -> Membership:
    before = membership(channel, connection)
    try:
        after = TRANSITIONS[before, signal]
    except KeyError:
        raise RuntimeError(f"a connection that is {before.value} in {channel.name!r} cannot {signal.value}") from None
    if after is not before:
        _take_out(channel, connection, before)
        _put_in(channel, connection, after)
    return after


def _take_out(channel: Channel, connection: Connection, before: Membership) -> None:
    if before is Membership.HELD:
        del channel.held[connection]
    elif before is Membership.CONGESTED:
        del channel.congested[connection]
    elif before is Membership.LIVE:
        writers = channel.writers[connection.format]
        del writers[connection]
        if not writers:
            del channel.writers[connection.format]


def _put_in(channel: Channel, connection: Connection, after: Membership) -> None:
    if after is Membership.LIVE:
        channel.writers.setdefault(connection.format, {})[connection] = connection.transport.write
    elif after is Membership.CONGESTED:
        channel.congested[connection] = None
    elif after is Membership.HELD:
        channel.held[connection] = Held()
