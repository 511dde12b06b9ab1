"""How often somebody may try passwords and sign up. It knows no passwords and no accounts."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hubbub.errors import Forbidden, RateLimited, Unauthenticated
from hubbub.limits import Allowance, network_of
from hubbub.settings import CurrentSettings
from hubbub.shared_limits.base import SharedLimits

TOGETHER = 10
"""How many times as many attempts may come from one address, or for one account from all addresses."""


def per_hour(number: int) -> Allowance:
    """So many at once, and so many an hour in the long run."""
    return Allowance(rate=number / 3600, burst=number - 1)


class Attempts:
    def __init__(self, limits: SharedLimits, current: CurrentSettings) -> None:
        self._limits = limits
        self._current = current

    async def sign_up(self, address: str) -> None:
        """Count an attempt to sign up. Raises `RateLimited` after too many."""
        await self._take(f"sign-ups from {network_of(address)}", per_hour(self._current.now.sign_ups))

    @asynccontextmanager
    async def password(self, login: str, address: str) -> AsyncIterator[None]:
        """Try a password for a folded username in this block. If the block raises `Unauthenticated`, it was wrong.

        Raises `RateLimited` after too many wrong ones. Right ones count only for the account from all addresses, so
        that nobody can keep the server busy with them. Nothing counts if the server could not say.
        """
        network, tries = network_of(address), f"log-ins to {login}"
        # The one of the network comes first: who has used that up makes the server remember no more usernames.
        attempts = self._current.now.log_in_attempts
        single, together = per_hour(attempts), per_hour(attempts * TOGETHER)
        limits = {
            f"log-ins from {network}": together,
            f"{tries} from {network}": single,
            (of_account := f"{tries} from all"): together,
        }
        counted: list[str] = []
        try:
            for name, allowance in limits.items():
                await self._take(name, allowance)
                counted.append(name)
            yield
        except Unauthenticated:
            raise
        except BaseException:
            self._give_back(counted, limits)
            raise
        else:
            self._give_back([name for name in counted if name != of_account], limits)

    @asynccontextmanager
    async def at_provider(self, address: str) -> AsyncIterator[None]:
        """Log somebody in by the answer of a log-in provider, in this block. Raises `RateLimited` after too many
        answers for which the block has raised `Forbidden`."""
        name, together = f"log-ins from {network_of(address)}", per_hour(self._current.now.log_in_attempts * TOGETHER)
        await self._take(name, together)
        try:
            yield
        except Forbidden:
            raise
        except BaseException:
            self._give_back([name], {name: together})
            raise
        else:
            self._give_back([name], {name: together})

    def _give_back(self, names: list[str], limits: dict[str, Allowance]) -> None:
        for name in names:
            self._limits.charge(_named(name, limits[name]), -1.0, limits[name])

    async def _take(self, name: str, allowance: Allowance) -> None:
        wait = await self._limits.take(_named(name, allowance), 1.0, allowance)
        if wait:
            raise RateLimited("too many attempts; try again later", retry_after=math.ceil(wait * 1000))


def _named(name: str, allowance: Allowance) -> str:
    """A name has always the same allowance: if an administrator changes it, another count begins."""
    return f"{name}, {allowance.burst + 1:g} an hour"
