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
        self._debts: dict[Allowance, Recent[Debt]] = {}

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

    async def take(self, name: str, size: float = 1.0, allowance: Allowance | None = None) -> float:
        now, allowance = self._clock(), allowance or self.allowance
        debt = self._debt(name, now, allowance)
        wait = debt.wait(now, allowance)
        if not wait:
            debt.add(size, now, allowance)
        return wait

    def charge(self, name: str, size: float, allowance: Allowance | None = None) -> None:
        now, allowance = self._clock(), allowance or self.allowance
        self._debt(name, now, allowance).add(size, now, allowance)

    def _debt(self, name: str, now: float, allowance: Allowance) -> Debt:
        debts = self._debts.get(allowance)
        if debts is None:
            kept = max(DEBTS_KEPT, 2 * allowance.burst / allowance.rate)
            debts = self._debts[allowance] = Recent(Debt, seconds=kept)
        return debts.of(name, now)
