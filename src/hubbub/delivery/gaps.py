"""Gaps: compares channels in which something may have been missed with the store, once for all their subscribers.

It knows channels and positions. `heads` reads the position of a channel's latest change from the store. The sequencer
then fetches what is missing. The broker reports most gaps. A node that is killed between its commit and its publication
cannot report that, so a sweep finds it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence

from hubbub.errors import Unavailable
from hubbub.wire.publication import Publication

log = logging.getLogger("hubbub.delivery")

CHECKED = 500
"""Channels whose heads are read at once."""
PAUSE = 0.05
"""Seconds between two such reads, so that a node with many channels does not keep the database busy."""
RETRY = 1.0
"""Seconds until heads that could not be read are asked for again."""
SWEEPS = 5
"""A sweep takes so many calls, or more if one call would otherwise read more than `CHECKED` heads."""

Heads = Callable[[Sequence[str]], Awaitable[Iterable[Publication]]]


class Gaps:
    """`heads` reads positions of channels, and raises `Unavailable` if the store cannot be read now. `heard` is
    called with each of them. `followed` returns all channels that have positions.

    Use it from one event loop.
    """

    def __init__(
        self, *, heads: Heads, heard: Callable[[Publication], None], followed: Callable[[], Iterable[str]]
    ) -> None:
        self._heads = heads
        self._heard = heard
        self._followed = followed
        self._unchecked: dict[str, None] = {}
        self._unswept: list[str] = []
        self._share = 0
        self._checking: asyncio.Task[None] | None = None
        self._has_warned = False

    def missed(self, channels: Iterable[str]) -> None:
        """Something may have been missed in these channels until now."""
        self._unchecked.update(dict.fromkeys(channels))
        if self._unchecked and self._checking is None:
            self._checking = asyncio.get_running_loop().create_task(self._check())

    def sweep(self) -> None:
        """Check the next few of all channels, in turn. Call it about once a second, where others write to the store."""
        if not self._unswept:
            self._unswept = list(self._followed())
            self._share = min(CHECKED, -(-len(self._unswept) // SWEEPS))
        share, self._unswept = self._unswept[: self._share], self._unswept[self._share :]
        self.missed(share)

    def stop(self) -> None:
        self._unchecked.clear()
        self._unswept.clear()
        if self._checking is not None:
            self._checking.cancel()

    async def _check(self) -> None:
        try:
            while self._unchecked:
                asked = list(self._unchecked)[:CHECKED]
                for channel in asked:
                    del self._unchecked[channel]
                await self._check_some(asked)
                if self._unchecked:
                    await asyncio.sleep(PAUSE)
        finally:
            self._checking = None

    async def _check_some(self, channels: list[str]) -> None:
        try:
            heads = await self._heads(channels)
        except Unavailable as error:
            if not self._has_warned:
                self._has_warned = True
                log.warning(
                    "the positions of channels cannot be read now; they are read again later: %s", error.message
                )
            self._unchecked.update(dict.fromkeys(channels))
            await asyncio.sleep(RETRY)
        except Exception:
            log.exception("the positions of channels could not be read")
        else:
            self._has_warned = False
            for head in heads:
                self._heard(head)
