"""How much is too much. Limits are plain objects that are told the time; none of them does I/O."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from typing import Generic, NamedTuple, TypeVar

SLOWEST = 1000.0
"""Bytes per second that a client must send or take, in the long run."""


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


KeptT = TypeVar("KeptT")


class Recent(Generic[KeptT]):
    """One value for each key, which is forgotten when nobody has asked for it for between `seconds` and twice that.

    Forgetting costs nothing for each key: all that was not asked for in a while is dropped at once.
    """

    def __init__(self, make: Callable[[], KeptT], *, seconds: float) -> None:
        self._make = make
        self._seconds = seconds
        self._new: dict[str, KeptT] = {}
        self._old: dict[str, KeptT] = {}
        self._since = 0.0

    def __len__(self) -> int:
        return len(self._new) + len(self._old)

    def of(self, key: str, now: float) -> KeptT:
        if now - self._since >= self._seconds:
            self._old = self._new if now - self._since < 2 * self._seconds else {}
            self._new = {}
            self._since = now
        value = self._new.get(key)
        if value is None:
            value = self._old.pop(key, None)
            if value is None:
                value = self._make()
            self._new[key] = value
        return value


# Clients come from few addresses, and parsing one costs more than counting it.
@lru_cache(maxsize=4096)
def network_of(address: str) -> str:
    """What counts as one address: of IPv6 the first 64 bits, since whoever has one address there has all of these."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(parsed) >> 64 << 64, 64)))


class AddressLimit:
    """How many connections one network address (`network_of`) may have at a time; 0: as many as it likes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: Counter[str] = Counter()

    def enter(self, address: str) -> bool:
        """Count a connection in. False, and nothing counted, if the address has as many as it may have."""
        network = network_of(address)
        if self._most and self._open[network] >= self._most:
            return False
        self._open[network] += 1
        return True

    def leave(self, address: str) -> None:
        network = network_of(address)
        self._open[network] -= 1
        if self._open[network] <= 0:
            del self._open[network]


class Outflow:
    """Whether a client takes what it was sent. It is told from time to time how much is left."""

    __slots__ = ("_largest", "_left", "_still", "_total")

    def __init__(self) -> None:
        self._left = 0
        self._largest = 0
        self._still = 0.0
        """Seconds in which nothing was taken."""
        self._total = 0.0
        """Seconds in which something was left."""

    def is_stuck(self, left: int, elapsed: float, *, growing: bool, stall: float, patience: float) -> bool:
        """Whether the client has taken nothing for `stall` seconds; or too little in all, unless there may be more to
        come for it (`growing`): `patience` seconds, and one for each thousand bytes (`SLOWEST`)."""
        if not left:
            self._left = self._largest = 0
            self._still = self._total = 0.0
            return False
        if growing:
            self._total, self._largest = 0.0, left
        else:
            self._total += elapsed
            self._largest = max(self._largest, left)
        self._still = self._still + elapsed if left == self._left else 0.0
        self._left = left
        return self._still >= stall or self._total >= patience + self._largest / SLOWEST
