"""The database as the event loop sees it: `write` shares transactions, `read` shares threads.

It knows no SQL. The engine does; features have the statements for their own tables.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from hubbub.errors import Unavailable
from hubbub.store.base import TIMEOUT, Engine, Reader, Transaction
from hubbub.store.group_commit import GroupCommit, Operation
from hubbub.store.threads import Threads, call_in_thread, settle

log = logging.getLogger("hubbub")

R = TypeVar("R")
T = TypeVar("T")

SWITCH_INTERVAL = 0.0005
"""Seconds that a busy event loop keeps the interpreter's lock while the writer waits for it. The default is 5 ms, and
every statement of a commit would wait for it again."""
PROBE_ANSWERED_WITHIN = 3.0
"""Seconds after which a database that has not answered a probe counts as one that hangs."""
STOPPING = 5.0
"""Seconds to wait for the last commit when the server stops. Messages that are not acked by then may be lost."""


class Database:
    """Everything durable goes through here. Use it between `start` and `stop`, in one event loop.

    `queued` is the most writes that may wait for an answer; `readers` is a number of threads. A caller that waits
    longer than `timeout` seconds for a read or a write gets `Unavailable`.
    """

    def __init__(self, engine: Engine, *, queued: int = 10_000, readers: int = 2, timeout: float = TIMEOUT) -> None:
        self._engine = engine
        self._commits = GroupCommit(engine.open_writer, most=queued, timeout=timeout)
        self._timeout = timeout
        self._number_of_readers = readers
        self._threads: Threads | None = None
        self._local = threading.local()
        self._readers: list[Reader] = []
        self._probing: asyncio.Future[None] | None = None
        self._silence: str | None = None
        """What came of the last probe, if it got no answer."""

    async def start(self) -> None:
        """Open the database, with its schema up to date. Raises `ConfigurationError`, `Unavailable`."""
        sys.setswitchinterval(min(sys.getswitchinterval(), SWITCH_INTERVAL))
        await call_in_thread(self._engine.prepare, name="hubbub-opening-the-database")
        try:
            await self._commits.start()
        except BaseException:
            self._engine.release()
            raise
        self._threads = Threads(self._number_of_readers, name="hubbub-reader")

    async def stop(self) -> bool:
        """Returns when every write is answered and everything is closed, or after `STOPPING` seconds.

        Returns False if the database hangs. The threads that use it are left behind then; nobody waits for them.
        """
        if self._threads is None:
            return True
        loop = asyncio.get_running_loop()
        deadline = loop.time() + STOPPING
        threads, self._threads = self._threads, None
        threads.close()
        # The writer is closed last: only it may checkpoint, and SQLite does that when the last connection closes.
        have_read = await threads.wait_until_ended(STOPPING / 2)
        if have_read:
            for reader in self._readers:
                reader.close()
            self._readers.clear()
        else:
            log.error("the database hangs: a read did not end within %g s, and is left behind", STOPPING / 2)
        if await self._commits.stop(max(0.0, deadline - loop.time())):
            # The writer may still write, so others must not.
            self._engine.release()
            return have_read
        log.error("the database hangs: the last commit did not end within %g s, and is left behind", STOPPING)
        return False

    @property
    def problem(self) -> str | None:
        """Why nothing can be stored or read, as `probe` has found it; None if no such problem is known."""
        return self._engine.problem or self._silence

    def probe(self) -> None:
        """See in a thread whether there is such a problem, also where nobody writes. Call it about once a second."""
        if self._threads is None or (self._probing is not None and not self._probing.done()):
            return
        self._probing = self._threads.call(self._probe_in_thread)
        late = asyncio.get_running_loop().call_later(
            min(PROBE_ANSWERED_WITHIN, self._timeout), settle, self._probing, _late()
        )
        self._probing.add_done_callback(partial(self._probed, late))

    def _probe_in_thread(self) -> None:
        self._engine.probe()
        if self._engine.is_shared:
            # An empty transaction: it needs an answer, and reads nothing.
            self._read(lambda _: None)

    def _probed(self, late: asyncio.TimerHandle, probing: asyncio.Future[None]) -> None:
        late.cancel()
        error = probing.exception()
        self._silence = None if error is None else str(error)

    def submit(self, operation: Operation[R, T], request: R, answered: Callable[[T | Exception], None]) -> None:
        """Let `operation` do a request, together with the other requests for it that come now. `answered` is called
        with the result when it is durable, or with an exception.

        It returns no future, since a busy room has thousands of requests a second. Raises `Unavailable` if too many
        wait.
        """
        self._commits.submit(operation, request, answered)

    def write(self, operation: Operation[R, T], request: R) -> asyncio.Future[T]:
        """`submit` for a caller that awaits the result. A caller that stops waiting does not stop the write.

        Raises as `submit` does; the future gives the result, or raises what refused the request.
        """
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._commits.submit(operation, request, partial(settle, answer))
        return answer

    def transact(self, work: Callable[[Transaction], T]) -> asyncio.Future[T]:
        """`write` for what is done seldom: `work` writes in a transaction, which others share. It may be called again
        after a rollback, and what it raises, the future raises."""
        return self.write(_do_each, work)

    async def read(self, work: Callable[[Transaction], T], *, never_deferred: bool = False) -> T:
        """Return what `work` reads from one snapshot of the database, which has every write that was answered before.
        `never_deferred` says that `work` reads only tables whose rows are never deferred (`Statement`).

        Raises `Unavailable`.
        """
        if self._commits.has_deferred and not never_deferred:
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._commits.move_deferred(partial(settle, done))
            await done
        if self._threads is None:
            raise Unavailable("the database is closed")
        answer = self._threads.call(partial(self._read, work))
        late = asyncio.get_running_loop().call_later(self._timeout, settle, answer, _late())
        try:
            return await answer
        finally:
            late.cancel()

    def _read(self, work: Callable[[Transaction], T]) -> T:
        reader: Reader | None = getattr(self._local, "reader", None)
        if reader is None:
            reader = self._local.reader = self._engine.open_reader()
            self._readers.append(reader)
        return reader.snapshot(work)


def _do_each(transaction: Transaction, works: Sequence[Callable[[Transaction], T]]) -> list[T]:
    return [work(transaction) for work in works]


def _late() -> Unavailable:
    return Unavailable("nothing can be read now: the database does not answer", retry_after=1000)
