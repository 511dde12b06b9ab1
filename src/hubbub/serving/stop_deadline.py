"""Ends a server that was told to stop, even if something hangs.

A thread that is stuck in a call cannot be ended, and Python waits for it when it exits. So at the deadline the log says
what hangs, and the process ends at once. Nothing that was acked is lost by that: it is durable.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import threading
import time
import traceback
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType

from hubbub.serving.lifeline import THREAD as LIFELINE

log = logging.getLogger("hubbub")

HUNG = 1
"""The exit status of a server whose stop was cut short."""
AT_ONCE = 1.0
"""Seconds for the rest of a stop that must not wait."""
SAYING_SO = 1.0
"""Seconds for writing the log, which may hang itself if nobody reads it."""
TASKS_NAMED = 5
_LOOK_EVERY = 0.05
_NO_DEADLINE = float("inf")


class StopDeadline:
    """Ends this process at a deadline, from a thread that only waits for it. Without a deadline it does nothing."""

    def __init__(self) -> None:
        # A signal's handler may call its `put`, even while `put` runs. It must not take a lock.
        self._deadlines: SimpleQueue[float | None] = SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin. If the loop itself hangs, the log names its tasks."""
        self._loop = loop
        threading.Thread(target=self._wait, name="hubbub-stop", daemon=True).start()

    def end_within(self, seconds: float) -> None:
        """The process ends in `seconds` at the latest; the earliest deadline counts. A signal's handler may call it."""
        self._deadlines.put(time.monotonic() + seconds)

    def stopped(self) -> None:
        """The server has stopped in time, and the program may go on. But if it was told to stop, a thread for which
        Python waits does not keep it from ending."""
        self._deadlines.put(None)

    def _wait(self) -> None:
        began, deadline = 0.0, _NO_DEADLINE
        while (left := deadline - time.monotonic()) > 0:
            try:
                told = self._deadlines.get(timeout=None if left == _NO_DEADLINE else left)
            except Empty:
                break
            if told is None:
                if deadline == _NO_DEADLINE:
                    return
                # Not `join`: until 3.12, Python may find the main thread's lock taken by it, and print a traceback.
                while threading.main_thread().is_alive():
                    self._sleep(_LOOK_EVERY)
                self._sleep(max(AT_ONCE, deadline - time.monotonic()))
                break
            began = began or time.monotonic()
            deadline = min(deadline, told)
        try:
            saying = threading.Thread(target=self._say_what_hangs, args=(time.monotonic() - began,), daemon=True)
            saying.start()
            saying.join(SAYING_SO)
        finally:
            os._exit(HUNG)

    def _sleep(self, seconds: float) -> None:
        # Not `time.sleep`: it fails if the wall clock of this process is changed meanwhile.
        with contextlib.suppress(Empty):
            self._deadlines.get(timeout=seconds)

    def _say_what_hangs(self, seconds: float) -> None:
        places = "; ".join([*_threads(), *self._tasks()])
        log.critical("the stop is broken off after %.0f s, because something hangs: %s", seconds, places)
        logging.shutdown()

    def _tasks(self) -> list[str]:
        # The loop goes on meanwhile, in its own thread.
        with contextlib.suppress(RuntimeError):
            tasks = [task for task in asyncio.all_tasks(self._loop) if not task.done()] if self._loop else []
            waiting = [frames[-1] for task in tasks[:TASKS_NAMED] if (frames := task.get_stack(limit=1))]
            return [f"a task in {_place(frame)}" for frame in waiting]
        return []


def _threads() -> list[str]:
    frames = sys._current_frames()
    own = {"hubbub-stop", LIFELINE, threading.current_thread().name}
    threads = [thread for thread in threading.enumerate() if thread.name not in own and thread.ident in frames]
    return [f"{thread.name} in {_place(frames[thread.ident])}" for thread in threads if thread.ident is not None]


def _place(frame: FrameType) -> str:
    """Where a thread is: the program's own frames, not only the library in which it waits."""
    stack = traceback.extract_stack(frame)
    own = [entry for entry in stack if f"{os.sep}site-packages{os.sep}" not in entry.filename and not _is_python(entry)]
    places = [
        f"{'/'.join(Path(entry.filename).parts[-2:])}:{entry.lineno} {entry.name}" for entry in (*own[-1:], stack[-1])
    ]
    return " > ".join(dict.fromkeys(places))


def _is_python(entry: traceback.FrameSummary) -> bool:
    return entry.filename.startswith(("<", str(Path(os.__file__).parent)))
