"""Which keys may have an owner: most newcomers' names are new, and need no question to the database."""

from __future__ import annotations

_BITS = 1 << 22
_PROBES = 4


class SeenKeys:
    """A set in 512 KB, however many keys it has seen: it may hold a key to be seen that was not, never the reverse.

    It is wrong about 2 % of them after half a million (Bloom, "Space/time trade-offs in hash coding with allowable
    errors", 1970; the probes are from Kirsch and Mitzenmacher, "Less hashing, same performance", 2006).
    """

    __slots__ = ("_bits",)

    def __init__(self) -> None:
        self._bits = bytearray(_BITS >> 3)

    def add(self, key: str) -> None:
        first, step = _halves(key)
        for probe in range(_PROBES):
            place = (first + probe * step) % _BITS
            self._bits[place >> 3] |= 1 << (place & 7)

    def __contains__(self, key: str) -> bool:
        first, step = _halves(key)
        for probe in range(_PROBES):
            place = (first + probe * step) % _BITS
            if not self._bits[place >> 3] >> (place & 7) & 1:
                return False
        return True


def _halves(key: str) -> tuple[int, int]:
    # Python's hash of a string differs with each process, so nobody can choose keys that meet.
    value = hash(key)
    return value & 0xFFFFFFFF, (value >> 32) | 1
