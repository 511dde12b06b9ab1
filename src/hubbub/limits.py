"""Limits: plain objects that are told the time. None of them does I/O."""

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
        """Take one. Returns 0.0 if there was one. Otherwise it takes nothing, and returns the seconds until there will
        be."""
        interval = 1.0 / rate
        arrival = max(self._arrival, now)
        wait = arrival - now - (burst - 1) * interval
        if wait > 1e-9:
            return wait
        self._arrival = arrival + interval
        return 0.0


class Allowance(NamedTuple):
    """A rate per second in the long run, and an amount at once."""

    rate: float
    burst: float


WORK_PER_COMMAND = 20
"""Units of work for each command that a connection may send: room for fragments, pings and large answers."""
SECONDS_PER_WORK = 50e-6
"""Seconds of processor time that are one unit of work, for work that has no size in bytes."""
WORK_PER_PAGE = 5
"""Units of work for each read of a room or of a page, even of an empty one."""
PAGE_BYTES_PER_WORK = 2048
"""Bytes of a page that are one unit of work: they are read, encoded and compressed."""


def work_of_page(size: int) -> float:
    """How many units of work it takes to give a client `size` bytes from the store."""
    return WORK_PER_PAGE + size / PAGE_BYTES_PER_WORK


class Debt:
    """A token bucket for work whose size is known only afterwards. Nothing is refused, but a client in debt must wait.
    The algorithm is that of `TokenBucket`."""

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
    """One value for each key. A value is dropped when nobody has asked for it for `seconds`, or up to twice as long.
    All such values are dropped together, so that costs nothing for each key.
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
    """The part of an address by which clients are counted: of IPv6 the first 64 bits, because one customer has all
    addresses with these bits."""
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
    """Counts the connections of each network address (`network_of`), and limits them. A limit of 0 is none."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: Counter[str] = Counter()

    def enter(self, address: str) -> bool:
        """Count a connection in. If the address has reached its limit, nothing is counted, and the result is False."""
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
    """Watches whether a client takes what it was sent. It is told from time to time how many bytes are left."""

    __slots__ = ("_largest", "_left", "_still", "_total")

    def __init__(self) -> None:
        self._left = 0
        self._largest = 0
        self._still = 0.0
        """Seconds in which the client took nothing."""
        self._total = 0.0
        """Seconds in which bytes were left."""

    def is_stuck(self, left: int, elapsed: float, *, growing: bool, stall: float, patience: float) -> bool:
        """Whether the client is too slow. It is if it has taken nothing for `stall` seconds. It is also if it has taken
        longer than `patience` seconds, and one for each thousand bytes (`SLOWEST`), unless more bytes may come for it
        (`growing`)."""
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
