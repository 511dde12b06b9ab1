"""Limits of so many an hour, on all nodes together. It does not know what is counted."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hubbub.errors import RateLimited
from hubbub.limits import Allowance
from hubbub.shared_limits.base import SharedLimits


@dataclass(frozen=True, slots=True)
class Hourly:
    """`number` at once, and `number` an hour in the long run, for what is counted under `name`."""

    name: str
    number: int

    async def take(self, limits: SharedLimits, refusal: str, *, room: str | None = None) -> None:
        """Count one. Raises `RateLimited` with this sentence, and counts nothing, after too many."""
        wait = await limits.take(self._counted_as, 1.0, self._allowance)
        if wait:
            raise RateLimited(refusal, retry_after=math.ceil(wait * 1000), room=room)

    def give_back(self, limits: SharedLimits) -> None:
        """Undo one `take`."""
        limits.charge(self._counted_as, -1.0, self._allowance)

    @property
    def _allowance(self) -> Allowance:
        return Allowance(rate=self.number / 3600, burst=self.number - 1)

    @property
    def _counted_as(self) -> str:
        # A name always has the same allowance: if an administrator changes the number, another count begins.
        return f"{self.name}, {self.number} an hour"
