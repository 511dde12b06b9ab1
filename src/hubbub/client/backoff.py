"""How long to wait before the next attempt."""

from __future__ import annotations

import random
from collections.abc import Callable


class Backoff:
    """Full jitter: a random time below a ceiling that doubles with each attempt, from `first` to `longest` seconds.

    Thousands of clients that lost one server then come back spread over the whole wait, not in waves (Marc Brooker,
    "Exponential Backoff And Jitter", AWS Architecture Blog). `random` gives a number in [0, 1).
    """

    def __init__(
        self,
        first: float = 0.5,
        longest: float = 30.0,
        random: Callable[[], float] = random.random,
    ) -> None:
        self._first = first
        self._longest = longest
        self._random = random
        self._attempts = 0

    def next(self) -> float:
        """Seconds until the next attempt."""
        ceiling = min(self._longest, self._first * 2.0**self._attempts)
        if ceiling < self._longest:
            self._attempts += 1
        return self._random() * ceiling

    def reset(self) -> None:
        """The last attempt was a success."""
        self._attempts = 0
