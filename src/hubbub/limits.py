"""How much is too much. Limits are plain objects that are told the time; none of them does I/O."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple


class TokenBucket:
    """At most `burst` at once, and `rate` per second in the long run.

    One integer of state per bucket: the theoretical arrival time of the generic cell rate algorithm (ITU-T I.371,
    annex A), which is a token bucket without a timer and without a token count.
    """

    __slots__ = ("_arrival",)

    def __init__(self) -> None:
        self._arrival = 0.0

    def take(self, now: float, *, rate: float, burst: int) -> float:
        """Take one. Returns 0.0 if it was there, else the seconds until it will be (and takes nothing)."""
        interval = 1.0 / rate
        arrival = max(self._arrival, now)
        wait = arrival - now - (burst - 1) * interval
        if wait > 1e-9:
            return wait
        self._arrival = arrival + interval
        return 0.0


class Allowance(NamedTuple):
    """So much per second in the long run, and so much at once."""

    rate: float
    burst: float


WORK_PER_COMMAND = 20
"""Units of work for each command that a connection may send: room for fragments, pings and large answers."""
SECONDS_PER_WORK = 50e-6
"""Of processor time, where what is to be done does not show in bytes."""
WORK_PER_PAGE = 5
"""Units of work that it takes to read a room or a page of it, however little there is."""
PAGE_BYTES_PER_WORK = 2048
"""Bytes of a page that are a unit of work: they are read, encoded and compressed."""


def work_of_page(size: int) -> float:
    """How many units of work it is to give a client `size` bytes of what is stored."""
    return WORK_PER_PAGE + size / PAGE_BYTES_PER_WORK


class Debt:
    """A token bucket whose bill comes afterwards, for work whose size is known when it is done: nothing is refused, but
    whoever owes must wait. The algorithm is that of `TokenBucket`."""

    __slots__ = ("_arrival",)

    def __init__(self) -> None:
        self._arrival = 0.0

    def add(self, work: float, now: float, allowance: Allowance) -> float:
        """Count work that was done. Returns the seconds until more may be done, 0.0 if at once."""
        self._arrival = max(self._arrival, now) + work / allowance.rate
        return self.wait(now, allowance)

    def wait(self, now: float, allowance: Allowance) -> float:
        wait = self._arrival - now - allowance.burst / allowance.rate
        return wait if wait > 1e-9 else 0.0


class AddressLimit:
    """How many connections one address may have at a time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: Counter[str] = Counter()

    def enter(self, address: str) -> bool:
        """Count a connection in. False, and nothing counted, if the address has as many as it may have."""
        if self._most and self._open[address] >= self._most:
            return False
        self._open[address] += 1
        return True

    def leave(self, address: str) -> None:
        self._open[address] -= 1
        if self._open[address] <= 0:
            del self._open[address]
