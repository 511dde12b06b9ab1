"""When thousands come back at once and ask for the same rows, the database is asked once.

A page may be handed to whoever asks for the same while the room has not moved past it. It is not enough that a query
runs already: it may have begun before the asker subscribed, and what was changed in between would reach it neither way.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable

from hubbub.features.messages.log_pages import Page

KEPT_BYTES = 16 * 1024 * 1024
"""Of pages that were read, in memory, roughly."""
AGE = 1.0
"""Seconds. Another node may have moved the room without this one having heard of it yet."""

_ROW_BYTES = 2048
"""What a row takes in memory besides its text, roughly."""


class SharedReads:
    """The pages that are being read, and those that were a moment ago. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._pages: OrderedDict[Hashable, tuple[float, Page]] = OrderedDict()
        """The oldest first."""
        self._size = 0
        self._flights: dict[Hashable, asyncio.Task[Page]] = {}
        self._forgetting: asyncio.TimerHandle | None = None

    async def get(self, key: Hashable, at_least: int, read: Callable[[], Awaitable[Page]]) -> Page:
        """The page of a key, as it was when the room's rev was `at_least` that. Raises what reading raises."""
        kept = self._pages.get(key)
        if kept is not None and kept[1].head.rev >= at_least and kept[0] > self._clock() - AGE:
            return kept[1]
        flight = self._flights.get(key)
        if flight is not None:
            page = await asyncio.shield(flight)
            if page.head.rev >= at_least:
                return page
        # One that is here now began after the call did, and so is new enough.
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = asyncio.ensure_future(self._fly(key, read))
            flight.add_done_callback(_look_at)
        # Who stops waiting must not end it for the others.
        return await asyncio.shield(flight)

    @property
    def kept_bytes(self) -> int:
        """Bytes in memory of the pages that are kept, roughly."""
        return self._size

    async def _fly(self, key: Hashable, read: Callable[[], Awaitable[Page]]) -> Page:
        began = self._clock()
        try:
            page = await read()
        finally:
            del self._flights[key]
        self._drop(key)
        self._pages[key] = began, page
        self._size += _bytes_of(page)
        while self._size > KEPT_BYTES:
            self._drop(next(iter(self._pages)))
        if self._forgetting is None:
            self._forgetting = asyncio.get_running_loop().call_later(AGE, self._forget)
        return page

    def _drop(self, key: Hashable) -> None:
        kept = self._pages.pop(key, None)
        if kept is not None:
            self._size -= _bytes_of(kept[1])

    def _forget(self) -> None:
        """Drop what is too old for anybody, although nobody asks."""
        self._forgetting = None
        too_old = self._clock() - AGE
        for key in [key for key, (began, _) in self._pages.items() if began <= too_old]:
            self._drop(key)
        if self._pages:
            self._forgetting = asyncio.get_running_loop().call_later(AGE, self._forget)


def _bytes_of(page: Page) -> int:
    return page.size + _ROW_BYTES * (1 + len(page.messages) + len(page.users))


def _look_at(flight: asyncio.Task[Page]) -> None:
    """Where nobody waits any more, nobody would look at a failure, and the loop would complain of that."""
    if not flight.cancelled():
        flight.exception()
