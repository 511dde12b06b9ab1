"""Puts publications in the order of their positions, without a gap. What the broker has lost is fetched from the store.

The sequencer knows channels and positions. It knows no rooms, no SQL and no broker. A broker may lose a publication,
double it, or let one overtake another. A position that is not the next one shows this. The missing publication may
still be on its way, so the sequencer first waits for it, and then fetches it once for everybody in the channel.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from hubbub.wire.publication import Publication

log = logging.getLogger("hubbub.delivery")

WAIT = 0.05
"""Seconds to wait for a publication that was overtaken by a later one."""
RETRY = 1.0
"""Seconds until a fetch that failed is repeated."""
KEPT = 1000
"""The most publications of one channel that wait for an earlier one. More of them are dropped, and fetched with the
rest."""

Fetch = Callable[[str, int], Awaitable[Sequence[Publication]]]


@dataclass(slots=True)
class _Line:
    """A channel that is followed."""

    position: int | None = None
    """The position up to which everything was delivered; None before the first publication."""
    began: int = 0
    """The first value of `position`."""
    known: int = 0
    """The highest position that was heard of."""
    early: dict[int, Publication] = field(default_factory=dict)
    timer: asyncio.TimerHandle | None = None
    is_fetching: bool = False


class Sequencer:
    """Stands between the broker and the fan-out. Use it in one event loop, after `start`.

    `fetch` returns what a channel's subscribers miss after a position, up to the channel's head, as publications for
    all of them. It returns none if the channel is not stored. If it raises, this is logged, and it is called again
    later.
    """

    def __init__(
        self, *, deliver: Callable[[Publication], None], fetch: Fetch, wait: float = WAIT, retry: float = RETRY
    ) -> None:
        self._deliver = deliver
        self.before_delivery: Callable[[Publication], None] | None = None
        """Called with each publication that has a position, just before it is delivered."""
        self._fetch = fetch
        self._wait = wait
        self._retry = retry
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lines: dict[str, _Line] = {}
        self._fetches: set[asyncio.Task[None]] = set()

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def stop(self) -> None:
        for channel in list(self._lines):
            self.forget(channel)
        for task in self._fetches:
            task.cancel()

    def follow(self, channel: str) -> None:
        """A connection of this node is subscribed to a channel from now on."""
        self._lines[channel] = _Line()

    def forget(self, channel: str) -> None:
        """No connection of this node is subscribed to it any more."""
        line = self._lines.pop(channel, None)
        if line is not None and line.timer is not None:
            line.timer.cancel()

    def start_over(self) -> None:
        """The store has gone back, so positions count from lower ones again. Call it when all connections are closed:
        they know the old positions."""
        for channel in list(self._lines):
            self.forget(channel)
            self.follow(channel)

    def followed(self) -> list[str]:
        """The channels of which a position is known."""
        return [channel for channel, line in self._lines.items() if line.position is not None]

    def heard_of(self, channel: str) -> int:
        """The highest position that was heard of in a channel, at least the last one that was delivered; 0 if none."""
        line = self._lines.get(channel)
        return 0 if line is None else max(line.known, line.position or 0)

    def was_told_up_to(self, channel: str, position: int) -> None:
        """A connection of this node was sent everything up to a position, and expects what comes after it."""
        line = self._lines.get(channel)
        if line is None:
            return
        if line.position is not None and position >= line.began:
            return
        # What came between this and the first publication here was lost, or the first head is beyond it.
        line.position = line.began = position
        if line.known > position:
            self._wait_for_others(channel, line)

    def receive(self, publication: Publication) -> None:
        """The next publication that the broker brings."""
        position = publication.position
        line = self._lines.get(publication.channel) if position is not None else None
        if position is None or line is None:
            if not publication.is_head:
                self._deliver(publication)
            return
        if line.position is None:
            if publication.is_head:
                # Somebody is reading the store at this moment, and may be told less than this.
                line.known = max(line.known, position)
                return
            line.position = line.began = position - 1
        line.known = max(line.known, position)
        if publication.is_head:
            if position > line.position:
                self._wait_for_others(publication.channel, line)
        elif position == line.position + 1 and not line.is_fetching:
            line.position = position
            self._pass_on(publication)
            if line.early:
                self._pass_on_early(line)
        elif position > line.position:
            # While the store is read, the next one has to wait too: what is read may be older.
            if len(line.early) < KEPT:
                line.early[position] = publication
            self._wait_for_others(publication.channel, line)
        # All others are late or doubled. Everybody here has them: they were delivered, fetched, or read by a joiner.

    def _pass_on(self, publication: Publication) -> None:
        try:
            if self.before_delivery is not None:
                self.before_delivery(publication)
            self._deliver(publication)
        except Exception:
            # It would fail again; the ones after it must not wait for it.
            log.exception("position %s of channel %r could not be delivered", publication.position, publication.channel)

    def _pass_on_early(self, line: _Line) -> None:
        assert line.position is not None
        while (publication := line.early.pop(line.position + 1, None)) is not None:
            line.position += 1
            self._pass_on(publication)

    def _wait_for_others(self, channel: str, line: _Line, seconds: float | None = None) -> None:
        if line.timer is None and not line.is_fetching and self._loop is not None:
            wait = self._wait if seconds is None else seconds
            line.timer = self._loop.call_later(wait, self._fetch_missing, channel, line)

    def _fetch_missing(self, channel: str, line: _Line) -> None:
        line.timer = None
        assert self._loop is not None
        if line.position is not None and line.known > line.position:
            line.is_fetching = True
            task = self._loop.create_task(self._catch_up(channel, line, line.position))
            self._fetches.add(task)
            task.add_done_callback(self._fetches.discard)

    async def _catch_up(self, channel: str, line: _Line, position: int) -> None:
        known = line.known
        try:
            missing = await self._fetch(channel, position)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next attempt may succeed
            log.warning("missed publications of channel %r could not be fetched: %s", channel, error)
            line.is_fetching = False
            if self._lines.get(channel) is line:
                self._wait_for_others(channel, line, self._retry)
            return
        line.is_fetching = False
        if self._lines.get(channel) is not line:
            return
        if missing:
            reached = missing[-1].position or position
        else:
            # Nothing is stored: what came early is delivered with its gap.
            missing = [line.early[early] for early in sorted(line.early)]
            reached = max(known, *line.early, position)
        for publication in missing:
            self._pass_on(publication)
        line.position = reached
        line.early = {early: publication for early, publication in line.early.items() if early > reached}
        self._pass_on_early(line)
        # The store decides: it has everything that was committed before it was read.
        heard_since = line.known if line.known > known else 0
        line.known = max(line.position, heard_since, *line.early)
        if line.known > line.position:
            self._wait_for_others(channel, line)
