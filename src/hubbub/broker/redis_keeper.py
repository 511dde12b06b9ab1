"""Keeps in Redis what this node has there: renews it at steady intervals, and at once when there is a reason."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from hubbub.broker.redis_connection import RedisAway, ReplyError
from hubbub.broker.redis_greeting import refusal_of
from hubbub.broker.redis_link import RedisLink


class RedisKeeper:
    """Calls `renew` every `seconds` while the link is up, and at once after `wake`. `renew` may raise as `call` does.

    The first refusal of the server is logged; `refused` says what it means, in the words between the server's name and
    its own words.
    """

    def __init__(
        self,
        link: RedisLink,
        renew: Callable[[], Awaitable[None]],
        *,
        seconds: float,
        log: logging.Logger,
        refused: str,
    ) -> None:
        self._link = link
        self._renew = renew
        self._seconds = seconds
        self._log = log
        self._refused = refused
        self._refusal = ""
        self._woken = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._keeping = asyncio.get_running_loop().create_task(self._keep())

    async def stop(self) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeping
            self._keeping = None

    def wake(self) -> None:
        self._woken.set()

    def note(self, error: ReplyError) -> None:
        """The server has refused a command."""
        refusal = refusal_of(error)
        if refusal != self._refusal:
            self._refusal = refusal
            self._log.error("%s %s: %s", self._link.address, self._refused, refusal)

    @property
    def problem(self) -> str | None:
        """Why nothing can be renewed now, in words without a password; None if all is well."""
        return self._link.problem or (f"{self._link.address}: {self._refusal}" if self._refusal else None)

    async def _keep(self) -> None:
        while True:
            self._woken.clear()
            try:
                if self._link.is_up:
                    await self._renew()
                    self._refusal = ""
            except RedisAway:
                pass
            except ReplyError as error:
                self.note(error)
                await asyncio.sleep(self._seconds)
            except Exception:  # noqa: BLE001 - it is logged
                self._log.exception("what this node has in %s could not be renewed", self._link.address)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._seconds):
                    await self._woken.wait()
