"""How often somebody may try passwords and sign up. It knows no passwords and no accounts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from hubbub.errors import Forbidden, Unauthenticated
from hubbub.limits import network_of
from hubbub.settings import CurrentSettings
from hubbub.shared_limits.base import SharedLimits
from hubbub.shared_limits.hourly import Hourly

TOGETHER = 10
"""How many times as many attempts may come from one address, or for one account from all addresses."""
TOO_MANY = "too many attempts; try again later"


class Attempts:
    def __init__(self, limits: SharedLimits, current: CurrentSettings) -> None:
        self._limits = limits
        self._current = current

    async def sign_up(self, address: str) -> None:
        """Count an attempt to sign up. Raises `RateLimited` after too many."""
        limit = Hourly(f"sign-ups from {network_of(address)}", self._current.now.sign_ups)
        await limit.take(self._limits, TOO_MANY)

    @asynccontextmanager
    async def password(self, login: str, address: str) -> AsyncIterator[None]:
        """Try a password for a folded username in this block. If the block raises `Unauthenticated`, it was wrong.

        Raises `RateLimited` after too many wrong ones. Right ones count only for the account from all addresses, so
        that nobody can keep the server busy with them. Nothing counts if the server could not say.
        """
        network, tries = network_of(address), f"log-ins to {login}"
        number = self._current.now.log_in_attempts
        of_account = Hourly(f"{tries} from all", number * TOGETHER)
        # The one of the network comes first: who has used that up makes the server remember no more usernames.
        limits = (self._from(address), Hourly(f"{tries} from {network}", number), of_account)
        counted: list[Hourly] = []
        try:
            for limit in limits:
                await limit.take(self._limits, TOO_MANY)
                counted.append(limit)
            yield
        except Unauthenticated:
            raise
        except BaseException:
            self._give_back(counted)
            raise
        else:
            self._give_back(limit for limit in counted if limit != of_account)

    @asynccontextmanager
    async def at_provider(self, address: str) -> AsyncIterator[None]:
        """Log somebody in by the answer of a log-in provider, in this block. Raises `RateLimited` after too many
        answers for which the block has raised `Forbidden`."""
        limit = self._from(address)
        await limit.take(self._limits, TOO_MANY)
        try:
            yield
        except Forbidden:
            raise
        except BaseException:
            limit.give_back(self._limits)
            raise
        else:
            limit.give_back(self._limits)

    def _from(self, address: str) -> Hourly:
        return Hourly(f"log-ins from {network_of(address)}", self._current.now.log_in_attempts * TOGETHER)

    def _give_back(self, limits: Iterable[Hourly]) -> None:
        for limit in limits:
            limit.give_back(self._limits)
