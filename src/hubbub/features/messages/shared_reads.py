"""When thousands of clients come back at once and ask for the same rows, the database is asked once.

A page is shared with all who ask for the same, as long as this node knows of no later change of the room, by itself or
by another node. A query that already runs cannot be shared with everybody either: if it began before a client
subscribed, changes in between would reach that client neither by the page nor by live events.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable

from hubbub.features.messages.log_pages import Page

KEPT_BYTES = 16 * 1024 * 1024
"""Bytes of pages that are kept in memory, estimated."""
AGE = 1.0
"""Seconds for which a page is shared. Another node may have changed the room, and this one may not have heard of it
yet."""

_ROW_BYTES = 2048
"""What a row takes in memory without its text, estimated."""


class SharedReads:
    """The pages that are being read now, and those that were read a moment ago. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._pages: OrderedDict[Hashable, tuple[float, Page]] = OrderedDict()
        """The oldest first."""
        self._size = 0
        self._flights: dict[Hashable, asyncio.Task[Page]] = {}
        self._forgetting: asyncio.TimerHandle | None = None

    async def get(self, key: Hashable, at_least: int, read: Callable[[], Awaitable[Page]]) -> Page:
        """The page of a key. It was read when the room's rev was at least `at_least`. Raises what `read` raises."""
        kept = self._pages.get(key)
        if kept is not None and kept[1].head.rev >= at_least and kept[0] > self._clock() - AGE:
            return kept[1]
        flight = self._flights.get(key)
        if flight is not None:
            page = await asyncio.shield(flight)
            if page.head.rev >= at_least:
                return page
        # A read that runs now began after this call, so its page is new enough.
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = asyncio.ensure_future(self._fly(key, read))
            flight.add_done_callback(_retrieve_exception)
        # A caller that stops waiting must not end the read for the others.
        return await asyncio.shield(flight)

    @property
    def kept_bytes(self) -> int:
        """Bytes of the pages that are kept in memory, estimated."""
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
        """Drop the pages that are too old."""
        self._forgetting = None
        too_old = self._clock() - AGE
        for key in [key for key, (began, _) in self._pages.items() if began <= too_old]:
            self._drop(key)
        if self._pages:
            self._forgetting = asyncio.get_running_loop().call_later(AGE, self._forget)


def _bytes_of(page: Page) -> int:
    return page.size + _ROW_BYTES * (1 + len(page.messages) + len(page.users))


def _retrieve_exception(flight: asyncio.Task[Page]) -> None:
    """If no caller waits any more, asyncio would log that the exception was never retrieved."""
    if not flight.cancelled():
        flight.exception()
