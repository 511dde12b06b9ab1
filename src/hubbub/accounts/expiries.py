"""When identities end: connections by the second in which their credential expires. It knows only their ids."""

from __future__ import annotations

import math
from collections.abc import Callable


class Expiries:
    """`clock` gives seconds that nobody can set; `wall` seconds since 1970. A clock that is set later changes nothing
    for those who are in."""

    def __init__(self, *, clock: Callable[[], float], wall: Callable[[], float]) -> None:
        self._clock = clock
        self._wall = wall
        self._seconds: dict[str, int] = {}
        self._due: dict[int, dict[str, None]] = {}
        self._done = math.floor(clock())

    def put(self, id: str, expires: float) -> None:
        """This one ends at `expires` (seconds since 1970), and not when it was said before."""
        self.drop(id)
        second = max(self._done + 1, math.ceil(self._clock() + expires - self._wall()))
        self._seconds[id] = second
        self._due.setdefault(second, {})[id] = None

    def drop(self, id: str) -> None:
        """This one is gone, or does not end any more."""
        second = self._seconds.pop(id, None)
        if second is not None:
            ids = self._due[second]
            del ids[id]
            if not ids:
                del self._due[second]

    def over(self) -> list[str]:
        """Those that have ended since the last call. Call it about once a second."""
        self._done = math.floor(self._clock())
        found = [id for second, ids in self._due.items() if second <= self._done for id in ids]
        for id in found:
            self.drop(id)
        return found

    def __len__(self) -> int:
        return len(self._seconds)
