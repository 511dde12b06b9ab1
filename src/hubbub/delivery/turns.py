"""Work that can wait takes turns, so that no client's work blocks the event loop for the others.

What a client has sent in one packet, and the pages of history that are made for it, can be a hundred times the work of
a message. Such work is done in small pieces, one piece for each client in turn, and only for a moment in each turn of
the event loop. Between these moments the loop serves everybody.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import perf_counter

SECONDS = 0.001
"""Seconds for pieces of work, in each turn of the event loop. The last piece may exceed them."""

BYTES = 64 * 1024
"""Bytes of pages that are made in one turn of the event loop. The last page may exceed them."""

LEAST = 4 * 1024
"""Bytes that a page counts for, however small it is."""

Piece = Callable[[], None]


class Turns:
    """Two queues, one for pieces of work and one for callers that make pages. `call_soon` is the event loop's."""

    def __init__(self, call_soon: Callable[[Piece], object], clock: Callable[[], float] = perf_counter) -> None:
        self._call_soon = call_soon
        self._clock = clock
        self._pieces: dict[Piece, None] = {}
        self._waiting: deque[tuple[asyncio.Future[None], int]] = deque()
        self._scheduled = False
        self._room = BYTES

    def __len__(self) -> int:
        return len(self._pieces) + len(self._waiting)

    def add(self, piece: Piece) -> None:
        """Do a piece of work when its turn comes. A piece that waits already keeps its place."""
        self._pieces.setdefault(piece, None)
        self._schedule()

    async def wait(self, size: int) -> None:
        """Returns when it is the caller's turn to make a page of `size` bytes: at once, if nothing is before it."""
        size = max(size, LEAST)
        if self._room > 0 and not self._waiting:
            self._room -= size
            self._schedule()
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, size))
        self._schedule()
        await turn

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._call_soon(self._take_turns)

    def _take_turns(self) -> None:
        self._scheduled = False
        self._room = BYTES
        while self._waiting and self._room > 0:
            turn, size = self._waiting.popleft()
            if not turn.done():  # the caller was cancelled
                turn.set_result(None)
                self._room -= size
        deadline = self._clock() + SECONDS
        try:
            while self._pieces:
                piece = next(iter(self._pieces))
                del self._pieces[piece]
                piece()
                if self._clock() >= deadline:
                    break
        finally:
            if self._pieces or self._waiting:
                self._schedule()
