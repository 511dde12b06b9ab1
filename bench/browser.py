"""Chromium, and what it says of a page: the time from a key to its paint, long tasks, bytes, nodes, memory.

Playwright is imported when a page is measured: only then it must be installed.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from bench import programs
from bench.errors import BenchError

if TYPE_CHECKING:
    from playwright.async_api import Browser, CDPSession, Page, ViewportSize, WebSocket

_DESKTOP: ViewportSize = {"width": 1280, "height": 800}
_FRAME = 200
"""Pixels for the window's own bars. Chromium shows a page that is higher than its window only in part, and Event Timing
counts a key as painted when a frame with a visible change is shown: a change outside waits for the next one inside."""

_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]

# Event Timing reports no event that took less than 16 ms, and rounds to 8 ms: https://www.w3.org/TR/event-timing/
_NOT_REPORTED_MS = 16.0

_OBSERVE = """
window.bench = { keys: 0, slowKeys: [], longTasks: 0, firstMessage: null };
addEventListener('keydown', () => (bench.keys += 1), true);
new PerformanceObserver((list) => {
  for (const { name, duration } of list.getEntries()) if (name === 'keydown') bench.slowKeys.push(duration);
}).observe({ type: 'event', durationThreshold: 16 });
new PerformanceObserver((list) => (bench.longTasks += list.getEntries().length)).observe({ type: 'longtask' });
(function look() {
  if (document.querySelector('[role=log] article') === null) requestAnimationFrame(look);
  else requestAnimationFrame(() => setTimeout(() => (bench.firstMessage = performance.now())));
})();
"""

# The last change is visible everywhere: a key that was not painted until then is reported with it.
_KEYS = """
new Promise((done) =>
  requestIdleCallback(() => {
    document.documentElement.style.filter = 'invert(1)';
    setTimeout(() => done([bench.keys, bench.slowKeys]), 500);
  }),
)
"""

_STORED = "[Object.entries(sessionStorage), Object.entries(localStorage)]"


def missing() -> str | None:
    if importlib.util.find_spec("playwright") is None:
        return "Playwright is not installed: run scripts/check once, which installs it"
    return None if _program() else "there is no chromium: apt install chromium"


def version() -> str:
    return programs.output_of(_program() or "chromium", "--version")


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    from playwright.async_api import async_playwright

    # A browser has several processes: on one core they would wait for each other.
    ours = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    try:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=_program(), args=_OPTIONS)
            try:
                yield browser
            finally:
                await browser.close()
    finally:
        os.sched_setaffinity(0, ours)


def _program() -> str | None:
    return shutil.which("chromium") or shutil.which("google-chrome")


class Visit:
    """A page in a window of its own, on an empty profile."""

    def __init__(self, page: Page, devtools: CDPSession) -> None:
        self.page = page
        self.sent_bytes = 0
        """What the server has sent over HTTP, headers included."""
        self.older_messages = 0
        """The messages of all pages of history that have come."""
        self._devtools = devtools
        devtools.on("Network.loadingFinished", self._loaded)
        page.on("websocket", self._opened)

    def _loaded(self, event: dict[str, Any]) -> None:
        self.sent_bytes += event["encodedDataLength"]

    def _opened(self, socket: WebSocket) -> None:
        socket.on("framereceived", self._received)

    def _received(self, frame: str | bytes) -> None:
        if isinstance(frame, str) and '"history"' in frame[:64]:
            self.older_messages += len(json.loads(frame).get("messages", ()))

    async def enter(self, name: str, room: str) -> None:
        await self.page.get_by_label("Your name").fill(name)
        await self.page.get_by_role("button", name="Start chatting").click()
        await self.page.get_by_role("heading", name=room, level=1).wait_for()

    async def stored(self) -> str:
        """A script with which another visit begins as the same person."""
        tab, device = await self.page.evaluate(_STORED)
        fill = "for (const [name, value] of {}) {}.setItem(name, value);"
        return fill.format(json.dumps(tab), "sessionStorage") + fill.format(json.dumps(device), "localStorage")

    async def first_message_ms(self) -> float:
        """From the start of the navigation until a message has been painted."""
        moment = await self.page.wait_for_function("() => bench.firstMessage", timeout=20_000)
        return float(await moment.json_value())

    def press(self, key: str) -> list[asyncio.Task[None]]:
        """Returns at once. The tasks end when the page has seen the key."""
        event = {"key": key, "code": f"Key{key.upper()}"}
        return [
            asyncio.create_task(self._dispatch({**event, "type": "keyDown", "text": key})),
            asyncio.create_task(self._dispatch({**event, "type": "keyUp"})),
        ]

    async def _dispatch(self, event: dict[str, Any]) -> None:
        await self._devtools.send("Input.dispatchKeyEvent", event)

    async def keys_ms(self, pressed: int, *, patience: float) -> list[float]:
        """Sorted times from a key to the paint after it. A key that the page has not painted took for ever.

        Waits until the page has nothing more to do, for `patience` seconds at most.
        """
        seen, slow = 0, list[float]()
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                seen, slow = await self.page.evaluate(_KEYS)
        quick = seen - len(slow)
        return sorted([_NOT_REPORTED_MS] * quick + slow + [float("inf")] * (pressed - seen))

    async def long_tasks(self) -> int:
        return int(await self.page.evaluate("bench.longTasks"))

    async def metrics(self) -> dict[str, float]:
        """Chromium's own, by name: https://chromedevtools.github.io/devtools-protocol/tot/Performance/"""
        answer = await self._devtools.send("Performance.getMetrics")
        return {metric["name"]: metric["value"] for metric in answer["metrics"]}

    async def collect_garbage(self) -> None:
        await self._devtools.send("HeapProfiler.collectGarbage")


async def _show_in_whole(devtools: CDPSession) -> None:
    window = await devtools.send("Browser.getWindowForTarget")
    bounds = {"width": _DESKTOP["width"], "height": _DESKTOP["height"] + _FRAME}
    await devtools.send("Browser.setWindowBounds", {"windowId": window["windowId"], "bounds": bounds})


@asynccontextmanager
async def visiting(browser: Browser, address: str, *, slowdown: float, script: str = "") -> AsyncIterator[Visit]:
    """Opens the address with a CPU `slowdown` times slower. `script` runs before those of the page."""
    from playwright.async_api import Error

    context = await browser.new_context(viewport=_DESKTOP)
    try:
        page = await context.new_page()
        devtools = await context.new_cdp_session(page)
        for domain in ("Network", "Performance"):
            await devtools.send(f"{domain}.enable")
        await _show_in_whole(devtools)
        await devtools.send("Emulation.setCPUThrottlingRate", {"rate": slowdown})
        await page.add_init_script(script + _OBSERVE)
        visit = Visit(page, devtools)
        await page.goto(address, wait_until="commit")
        yield visit
    except Error as error:
        raise BenchError(f"the page at {address}: {error.message}") from error
    finally:
        # A page that is frozen may not close; it ends with the browser.
        with suppress(TimeoutError):
            async with asyncio.timeout(5):
                await context.close()
