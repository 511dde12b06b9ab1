"""The web client in a browser: is it smooth in a busy room and a long one, and is it there quickly?"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from bench.browser import Visit, chromium, visiting
from bench.errors import BenchError
from bench.load import percentile
from bench.members import Member, joined
from bench.scenarios.base import Metric, Scenario
from bench.server import Server, running
from bench.slow_network import SLOW_4G, through
from bench.systems import page
from bench.systems.base import System

_ROOM = "room1"
_TALKERS = 10
_KEYS_PER_SECOND = 10
_PATIENCE = 8.0
_LONGEST_VISIT = 240.0
"""Seconds that a frozen page has to see the last keys, and then to paint them."""
_FIELD_ALONE = "data:text/html,<!doctype html><div role=log><article></article></div><textarea></textarea>"
_WHEEL = -2_000
"""Pixels of one turn of the wheel: two screens and a half."""

_TEXTS = (
    "ok",
    "Good morning! The release candidate is on staging: https://staging.example.com/builds/42",
    "I went through the whole list last night, and **every** box is ticked.",
    "@reader can you look at `Timeline.append` again? It drops the *first* line.",
    "Lovely. Then only three things are left:\n- the release notes\n- a screenshot\n- cake",
    "```\nfor line in lines:\n    print(line)\n```",
    "On it 👍",
    "> Light or dark?\nBoth, of course! And ~~tomorrow~~ today.",
)


@dataclass(frozen=True)
class PageScenario(Scenario):
    name = "page"
    summary = "the web client in chromium: typing, a busy room, scrolling back, the first load"
    part_of_all = False

    per_second: float = 50.0
    lines: int = 400
    busy_seconds: float = 8.0
    keys: int = 80
    scrolled: int = 20_000
    scroll_seconds: float = 30.0

    @classmethod
    def quick(cls) -> Self:
        return cls(lines=60, busy_seconds=0.5, keys=5, scrolled=100, scroll_seconds=10)

    def description(self) -> str:
        return (
            "The page in Chromium, 1280 × 800, without a graphics processor. A reader comes into a room with more"
            f" than {self.scrolled:,} messages, and {_TALKERS} others write {self.per_second:g} messages a second."
            f" After {self.lines:,} of them: the share of the time in which the page's main thread has work, for "
            f"{self.busy_seconds:g} s; the time from a key to the paint after it, for {self.keys} keys, "
            f"{_KEYS_PER_SECOND} a second (Event Timing: in steps of 8 ms, and 16 ms at least); and the same for an"
            " empty page with a field, while the others go on: that much is the browser's and the machine's. Then "
            f"all are silent. The reader turns the wheel back through {self.scrolled:,} messages, for "
            f"{self.scroll_seconds:g} s at most: tasks of more than 50 ms; then the document's nodes, and the "
            "memory of JavaScript. First load: what the server sends over HTTP until the first message, with "
            "headers. First message: from the navigation to the paint, for a guest whose name the tab knows, with"
            " an empty cache. Slow 4G is Lighthouse's: a round trip of 150 ms, 1.6 Mbit/s. Aims, and in brackets "
            "those with a CPU 4 × slower: key 30 ms (100 ms); busy 25 % (70 %); long tasks 0 (3); first load 60 "
            "KB; first message on slow 4G (1,500 ms)."
        )

    def metrics(self) -> Sequence[Metric]:
        return [
            Metric("key_p95_ms", "key to paint: p95 ms", "less"),
            Metric("field_key_p95_ms", "key to paint, a field alone: p95 ms", "less"),
            Metric("busy_percent", "main thread busy: %", "less"),
            Metric("long_tasks", "long tasks", "less"),
            Metric("scrolled", "messages scrolled", "more"),
            Metric("first_load_kb", "first load: KB", "less"),
            Metric("first_message_ms", "first message: ms", "less"),
            Metric("slow_4g_ms", "first message, slow 4G: ms", "less"),
            Metric("nodes", "nodes", "less"),
            Metric("heap_mb", "JavaScript: MB", "less"),
        ]

    def measure(self, system: System) -> Mapping[str, float]:
        assert isinstance(system, page.Page)
        with running(system) as server, joined(server, [_ROOM] * _TALKERS) as talkers:
            return asyncio.run(self._visit(server, talkers, system.slowdown))

    async def _visit(self, server: Server, talkers: Sequence[Member], slowdown: float) -> Mapping[str, float]:
        # A browser may never answer: DevTools' commands and a page's promises have no deadline of their own.
        try:
            async with asyncio.timeout(_LONGEST_VISIT):
                return await self._measured(server, talkers, slowdown)
        except TimeoutError:
            raise BenchError(f"the page did not answer within {_LONGEST_VISIT:g} s") from None

    async def _measured(self, server: Server, talkers: Sequence[Member], slowdown: float) -> Mapping[str, float]:
        address = f"http://127.0.0.1:{server.port}/#{_ROOM}"
        async with chromium() as browser:
            async with visiting(browser, address, slowdown=slowdown) as visit:
                await visit.enter("reader", _ROOM)
                script = await visit.stored()
                await visit.page.get_by_role("textbox", name="Message").focus()
                async with _talk(server, talkers, self.per_second) as said:
                    values = {"busy_percent": await self._be_busy(visit, said)}
                    await self._type(visit)
                values["key_p95_ms"] = percentile(await visit.keys_ms(self.keys, patience=_PATIENCE), 95)
            async with visiting(browser, _FIELD_ALONE, slowdown=slowdown) as visit:
                await visit.page.get_by_role("textbox").focus()
                async with _talk(server, talkers, self.per_second):
                    await self._type(visit)
                values["field_key_p95_ms"] = percentile(await visit.keys_ms(self.keys, patience=_PATIENCE), 95)
            async with visiting(browser, address, slowdown=slowdown, script=script) as visit:
                values["first_message_ms"] = await visit.first_message_ms()
                values["first_load_kb"] = visit.sent_bytes / 1000
                values |= await self._scroll_back(visit)
            _say("first load on slow 4G")
            async with through(SLOW_4G, server.port) as slow_port:
                slow_address = address.replace(str(server.port), str(slow_port))
                async with visiting(browser, slow_address, slowdown=slowdown, script=script) as visit:
                    values["slow_4g_ms"] = await visit.first_message_ms()
        return values

    async def _be_busy(self, visit: Visit, said: asyncio.Semaphore) -> float:
        _say(f"{self.lines} messages come in")
        for _ in range(self.lines):
            await said.acquire()
        _say("a busy room")
        before = await visit.metrics()
        await asyncio.sleep(self.busy_seconds)
        after = await visit.metrics()
        busy, passed = (after[name] - before[name] for name in ("TaskDuration", "Timestamp"))
        return busy / passed * 100

    async def _type(self, visit: Visit) -> None:
        """Each key is pressed when it is due, even if the page has not seen the last one."""
        _say("typing")
        began = time.perf_counter()
        pressing: list[asyncio.Task[None]] = []
        for number in range(self.keys):
            await asyncio.sleep(began + number / _KEYS_PER_SECOND - time.perf_counter())
            pressing += visit.press("e")
        await asyncio.wait(pressing, timeout=_PATIENCE)

    async def _scroll_back(self, visit: Visit) -> dict[str, float]:
        _say("scrolling back")
        before, ends = await visit.long_tasks(), time.perf_counter() + self.scroll_seconds
        await visit.page.get_by_role("log").hover()
        while visit.older_messages < self.scrolled and time.perf_counter() < ends:
            await visit.page.mouse.wheel(0, _WHEEL)
            await visit.page.evaluate("new Promise(requestAnimationFrame)")
        long_tasks = await visit.long_tasks() - before
        await visit.collect_garbage()
        metrics = await visit.metrics()
        return {
            "long_tasks": long_tasks,
            "scrolled": visit.older_messages,
            "nodes": metrics["Nodes"],
            "heap_mb": metrics["JSHeapUsedSize"] / 1e6,
        }


@asynccontextmanager
async def _talk(server: Server, talkers: Sequence[Member], per_second: float) -> AsyncIterator[asyncio.Semaphore]:
    """The talkers take turns, at a fixed rate. Each message releases the semaphore once."""
    said = asyncio.Semaphore(0)
    loop = asyncio.get_running_loop()
    chance = random.Random(1)

    async def go_on() -> None:
        began, number = loop.time(), 0
        while True:
            talker = chance.choice(talkers)
            talker.send(server.system.message(_ROOM, chance.choice(_TEXTS), number))
            said.release()
            number += 1
            await asyncio.sleep(began + number / per_second - loop.time())

    for talker in talkers:
        loop.add_reader(talker.fd, talker.socket.recv, 1 << 20)
    talking = asyncio.create_task(go_on())
    try:
        yield said
    finally:
        talking.cancel()
        for talker in talkers:
            loop.remove_reader(talker.fd)


def _say(text: str) -> None:
    print(f"  {datetime.now(UTC):%X} {text}", file=sys.stderr, flush=True)
