"""Ids of rows that are listed by time, the latest first: an id is also the row's place, and so the next page's."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable

LATEST = "~"
"""Comes after every id."""


class TimedIds:
    """Makes ids that sort, by their bytes, in the order in which this process makes them; those of several nodes by
    their clocks. `clock` gives nanoseconds since 1970."""

    def __init__(self, clock: Callable[[], int] = time.time_ns) -> None:
        self._clock = clock
        self._latest = 0
        self._lock = threading.Lock()

    def next(self) -> str:
        with self._lock:
            # Two rows of one transaction may be made at the same time, and the clock may be set back.
            self._latest = max(self._clock(), self._latest + 1)
            return f"{self._latest:019d}-{secrets.token_hex(6)}"


timed_id = TimedIds().next
