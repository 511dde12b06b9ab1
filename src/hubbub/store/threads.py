"""Threads for calls that may never return: a database that hangs, a disk that is gone.

Nobody has to wait for these threads: not the event loop when it ends, and not Python when it exits. (Python waits for
threads of `concurrent.futures`.)
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


class Threads:
    """A number of threads that do calls in the order in which they came. Use it from one event loop."""

    def __init__(self, number: int, *, name: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._calls: SimpleQueue[tuple[asyncio.Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._ended = [self._loop.create_future() for _ in range(number)]
        for ended in self._ended:
            threading.Thread(target=self._work, args=(ended,), name=name, daemon=True).start()

    def call(self, function: Callable[[], T]) -> asyncio.Future[T]:
        """Have a function called in one of the threads. It is not called if its future is done before that."""
        answer: asyncio.Future[T] = self._loop.create_future()
        self._calls.put((answer, function))
        return answer

    def close(self) -> None:
        """Let the threads end when all calls are done."""
        for _ in self._ended:
            self._calls.put(None)

    async def wait_until_ended(self, timeout: float) -> bool:
        """Whether all threads have ended, in `timeout` seconds."""
        await asyncio.wait(self._ended, timeout=timeout)
        return all(ended.done() for ended in self._ended)

    def _work(self, ended: asyncio.Future[None]) -> None:
        while (asked := self._calls.get()) is not None:
            answer, function = asked
            if answer.done():
                continue
            try:
                result: Any = function()
            except BaseException as error:  # noqa: BLE001 - whoever asked for it gets it
                self._tell(partial(settle, answer, error))
            else:
                self._tell(partial(settle, answer, result))
        self._tell(partial(settle, ended, None))

    def _tell(self, settled: Callable[[], None]) -> None:
        # If the loop was closed meanwhile, nobody waits.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(settled)


async def call_in_thread(function: Callable[[], T], *, name: str) -> T:
    """Call a function in a thread of its own, and return its result. A caller that stops waiting does not wait for the
    thread."""
    threads = Threads(1, name=name)
    answer = threads.call(function)
    threads.close()
    return await answer


def settle(future: asyncio.Future[T], result: T | BaseException) -> None:
    """Give a future its result, or an exception instead, unless it is done."""
    if future.done():
        return
    if isinstance(result, BaseException):
        future.set_exception(result)
    else:
        future.set_result(result)
