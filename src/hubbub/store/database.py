"""The database as the event loop sees it: `write` shares transactions, `read` shares threads.

It knows no SQL. The engine does; the features that own tables bring their statements.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from hubbub.errors import Unavailable
from hubbub.store.base import Engine, Reader, Transaction
from hubbub.store.group_commit import GroupCommit, Operation

R = TypeVar("R")
T = TypeVar("T")

SWITCH_INTERVAL = 0.0005
"""Seconds that a busy event loop keeps the interpreter's lock while the writer waits for it. The default, 5 ms, is paid
again at every statement of a commit."""


class Database:
    """Everything durable goes through here. Use it between `start` and `stop`, in one event loop.

    `queued` bounds the writes without an answer; `readers` is a number of threads.
    """

    def __init__(self, engine: Engine, *, queued: int = 10_000, readers: int = 2) -> None:
        self._engine = engine
        self._commits = GroupCommit(engine.open_writer, most=queued)
        self._number_of_readers = readers
        self._threads: ThreadPoolExecutor | None = None
        self._local = threading.local()
        self._readers: list[Reader] = []

    async def start(self) -> None:
        """Open the database, with its schema up to date. Raises `ConfigurationError`, `Unavailable`."""
        sys.setswitchinterval(min(sys.getswitchinterval(), SWITCH_INTERVAL))
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._engine.prepare)
        try:
            await self._commits.start()
        except BaseException:
            self._engine.release()
            raise
        self._threads = ThreadPoolExecutor(self._number_of_readers, thread_name_prefix="hubbub-reader")

    async def stop(self) -> None:
        """Returns when every write is answered and everything is closed."""
        if self._threads is None:
            return
        threads, self._threads = self._threads, None
        await asyncio.get_running_loop().run_in_executor(None, threads.shutdown)
        for reader in self._readers:
            reader.close()
        self._readers.clear()
        # The writer goes last: only it may checkpoint, and SQLite does so when the last connection closes.
        await self._commits.stop()
        self._engine.release()

    def submit(self, operation: Operation[R, T], request: R, answered: Callable[[T | Exception], None]) -> None:
        """Have `operation` do a request, together with all others that ask for it now. `answered` is called with the
        result when it is durable, or with the exception that refused it.

        It is not a future because a busy room has thousands of them a second. Raises `Unavailable` if too many wait.
        """
        self._commits.submit(operation, request, answered)

    def write(self, operation: Operation[R, T], request: R) -> asyncio.Future[T]:
        """The same for those who wait. Who stops waiting stops nothing: it is stored all the same.

        Raises as `submit` does; the future gives the result, or raises what refused the request.
        """
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._commits.submit(operation, request, partial(settle, answer))
        return answer

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """What `work` reads from one unmoving state of the database, with all that was answered before.

        Raises `Unavailable`.
        """
        if self._commits.has_deferred:
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._commits.do_deferred(partial(settle, done))
            await done
        if self._threads is None:
            raise Unavailable("the database is closed")
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._read, work)

    def _read(self, work: Callable[[Transaction], T]) -> T:
        reader: Reader | None = getattr(self._local, "reader", None)
        if reader is None:
            reader = self._local.reader = self._engine.open_reader()
            self._readers.append(reader)
        return reader.snapshot(work)


def settle(future: asyncio.Future[T], result: T | Exception) -> None:
    """Give a future its result, or the exception that stands for one, if somebody waits for it still."""
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
