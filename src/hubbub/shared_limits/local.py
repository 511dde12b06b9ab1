"""The limits of one node. It never waits."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from hubbub.limits import Allowance, Debt, Recent

DEBTS_KEPT = 60.0
"""Seconds after which a debt is forgotten, paid or not; longer if it takes longer to pay one."""


class LocalLimits:
    """`allowance` is the rate that each name has. `clock` gives seconds that never jump."""

    reaches_others = False

    def __init__(self, allowance: Allowance, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.allowance = allowance
        self.counts: Counter[str] = Counter()
        """How many are counted under each name; names without any are left out."""
        self._clock = clock
        self._debts = Recent(Debt, seconds=max(DEBTS_KEPT, 2 * allowance.burst / allowance.rate))

    @property
    def problem(self) -> str | None:
        return None

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    async def enter(self, name: str, most: int) -> bool:
        if self.counts[name] >= most:
            return False
        self.counts[name] += 1
        return True

    def leave(self, name: str) -> None:
        self.counts[name] -= 1
        if self.counts[name] <= 0:
            del self.counts[name]

    async def take(self, name: str, size: float = 1.0) -> float:
        now = self._clock()
        debt = self._debts.of(name, now)
        wait = debt.wait(now, self.allowance)
        if not wait:
            debt.add(size, now, self.allowance)
        return wait

    def charge(self, name: str, size: float) -> None:
        now = self._clock()
        self._debts.of(name, now).add(size, now, self.allowance)
