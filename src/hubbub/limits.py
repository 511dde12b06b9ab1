"""How much is too much. Limits are plain objects that are told the time; none of them does I/O."""

from __future__ import annotations

from collections import Counter


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
