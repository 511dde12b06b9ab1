"""Which keys may have an owner: most newcomers' names are new, and need no question to the database."""

from __future__ import annotations

_PLACE = (1 << 22) - 1
_SLICE = 21


class SeenKeys:
    """A set in 512 KB, however many keys it has seen: it may hold a key to be seen that was not, never the reverse.

    It is wrong about 3 % of them after half a million (Bloom, "Space/time trade-offs in hash coding with allowable
    errors", 1970). The three places of a key are slices of its 64-bit hash.
    """

    __slots__ = ("_bits",)

    def __init__(self) -> None:
        self._bits = bytearray((_PLACE + 1) >> 3)

    def add(self, key: str) -> bool:
        """See a key. True if it is certainly a new one."""
        bits = self._bits
        # Python's hash of a string differs with each process, so nobody can choose keys that meet.
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
