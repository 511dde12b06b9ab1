"""A rate limit for an application's hooks: so many per user and time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from hubbub.errors import RateLimited
from hubbub.limits import TokenBucket
from hubbub.wire.identity import User
from hubbub.wire.keys import fold

FORGET_AFTER = 10_000
"""Users remembered before those who could take a full burst again are forgotten."""


class RateLimit:
    """At most `count` in `per` seconds for each user, in a sliding way: they come back one by one, not all at once.

    limit = RateLimit(10, per=60)

    @hub.before_message
    def slow_down(draft: Draft) -> None:
        limit.take(draft.user)
    """

    def __init__(self, count: int, *, per: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._count = count
        self._per = per
        self._clock = clock
        self._buckets: dict[str, tuple[TokenBucket, float]] = {}

    def take(self, user: User) -> None:
        """Count one. Raises `RateLimited`, which says when to come back, if the user has had as many as they may."""
        now = self._clock()
        if len(self._buckets) >= FORGET_AFTER:
            self._buckets = {key: kept for key, kept in self._buckets.items() if now - kept[1] < self._per}
        bucket = self._buckets.setdefault(fold(user.key), (TokenBucket(), now))[0]
        self._buckets[fold(user.key)] = (bucket, now)
        wait = bucket.take(now, rate=self._count / self._per, burst=self._count)
        if wait:
            raise RateLimited(
                f"at most {self._count} in {self._per:g} s; come back in {math.ceil(wait)} s",
                retry_after=math.ceil(wait * 1000),
            )
