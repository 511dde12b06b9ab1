"""Which keys may have an owner. Most names of newcomers are new, and the database need not be asked about them."""

from __future__ import annotations

_PLACE = (1 << 22) - 1
_SLICE = 21


class SeenKeys:
    """A set of 512 KB, for any number of keys. It may mistake a new key for a seen one, but never a seen for a new one.

    After half a million keys it is wrong about 3 % of the new ones (Bloom, "Space/time trade-offs in hash coding with
    allowable errors", 1970). The three places of a key are slices of its 64-bit hash.
    """

    __slots__ = ("_bits",)

    def __init__(self) -> None:
        self._bits = bytearray((_PLACE + 1) >> 3)

    def add(self, key: str) -> bool:
        """Add a key. True if it is certainly new."""
        bits = self._bits
        # Python's hash of a string differs in each process, so nobody can choose keys that collide.
        rest = hash(key)
        is_new = False
        for _ in range(3):
            place = (rest & _PLACE) >> 3
            bit = 1 << (rest & 7)
            if not bits[place] & bit:
                is_new = True
                bits[place] |= bit
            rest >>= _SLICE
        return is_new
