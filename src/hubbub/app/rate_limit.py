"""A rate limit for an application's hooks: a number of calls for each user and time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from hubbub.errors import RateLimited
from hubbub.limits import Recent, TokenBucket
from hubbub.wire.identity import User
from hubbub.wire.keys import fold


class RateLimit:
    """At most `count` in `per` seconds for each user, in a sliding way: they come back one by one, not all at once.
    Each node counts for itself.

    limit = RateLimit(10, per=60)

    @hub.before_message
    def slow_down(draft: Draft) -> None:
        limit.take(draft.user)
    """

    def __init__(self, count: int, *, per: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._count = count
        self._per = per
        self._clock = clock
        # A bucket that was not used for that long is full again.
        self._buckets = Recent(TokenBucket, seconds=per)

    def take(self, user: User) -> None:
        """Count one. Raises `RateLimited`, which says when to come back, if the user has had as many as they may."""
        now = self._clock()
        bucket = self._buckets.of(fold(user.key), now)
        wait = bucket.take(now, rate=self._count / self._per, burst=self._count)
        if wait:
            raise RateLimited(
                f"at most {self._count} in {self._per:g} s; come back in {math.ceil(wait)} s",
                retry_after=math.ceil(wait * 1000),
            )
