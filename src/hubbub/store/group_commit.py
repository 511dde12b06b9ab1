"""Group commit: many requests share one transaction, and each gets its own answer.

What one turn of the event loop asked for, and what came while the last commit ran, is one batch. A batch that fails is
halved until the bad request is alone, so that no other request fails with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from hubbub.errors import Unavailable
from hubbub.store.base import Transaction, Writer
from hubbub.store.statement import Statement
from hubbub.store.threads import Threads

log = logging.getLogger("hubbub")

R = TypeVar("R")
T = TypeVar("T")

Operation = Callable[[Transaction, Sequence[R]], "Sequence[T | Exception]"]
"""Does a batch of requests in a transaction. Returns one result for each, in their order. The result of a request that
is refused is an exception; such a request changes nothing. What the operation raises fails the batch."""

BATCH = 1000
"""The most requests in one transaction. With more, locks and answers would wait longer than the larger batch gains."""
IDLE_AFTER = 0.5
"""After so many seconds without a request, the writer does its upkeep."""
CHECKS = 10
"""How often, within the timeout, the loop checks for requests whose time is over."""

_ANYTHING = Statement("SELECT 1")
"""Any statement that is not deferrable moves deferred rows into their tables before it runs."""


@dataclass(slots=True)
class _Pending:
    operation: Operation[Any, Any]
    request: Any
    answered: Callable[[Any], None]
    has_begun: bool = False
    """Set by the writer's thread before it reads `is_late`."""
    is_late: bool = False
    """Set by the event loop before it reads `has_begun`."""


class GroupCommit:
    """A queue before the writer's thread. Use it from one event loop.

    `most` is how many requests may wait. Each is answered within `timeout` seconds.
    """

    def __init__(self, open_writer: Callable[[], Writer], *, most: int, timeout: float) -> None:
        self._open_writer = open_writer
        self._most = most
        self._timeout = timeout
        self._unanswered = 0
        self._asked: deque[tuple[float, list[_Pending]]] = deque()
        """The turns of the loop whose requests are not done yet, with their times."""
        self._done_of_first = 0
        """How many requests of the first of these turns are done."""
        self._timer: asyncio.TimerHandle | None = None
        self._turn: list[_Pending] = []
        self._waiting_for_deferred: list[Callable[[Any], None]] = []
        self._queue: SimpleQueue[list[_Pending] | None] = SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Threads | None = None
        self._writer: Writer | None = None

    async def start(self) -> None:
        """Open the writer and its thread. Raises what opening raises."""
        self._loop = asyncio.get_running_loop()
        thread = Threads(1, name="hubbub-writer")
        try:
            self._writer = writer = await thread.call(self._open_writer)
        except BaseException:
            thread.close()
            raise
        thread.call(partial(self._work, writer))
        self._thread = thread

    async def stop(self, timeout: float) -> bool:
        """Returns when all requests are answered and the writer is closed, or after `timeout` seconds.

        Returns False if the writer has not ended: nobody waits for it any more, but it may still write.
        """
        if self._loop is None or self._thread is None:
            return True
        thread, self._thread = self._thread, None
        self._hand_over()
        self._queue.put(None)
        thread.close()
        has_ended = await thread.wait_until_ended(timeout)
        if self._timer is not None:
            self._timer.cancel()
        if not has_ended:
            self._answer_those_asked_before(self._loop.time())
        return has_ended

    def submit(self, operation: Operation[R, T], request: R, answered: Callable[[T | Exception], None]) -> None:
        """Put a request into the queue. `answered` is called with its result when that is durable, or with an
        exception. It is called in the event loop, in the order of the requests of a batch.

        If that takes longer than the timeout, it is called with `Unavailable`. A request that had not begun is then not
        done any more. If it had begun and is done later, `answered` is called a second time.

        Raises `Unavailable` if too many wait already.
        """
        if self._unanswered >= self._most:
            raise Unavailable(f"{self._most} changes wait to be stored already", retry_after=1000)
        self._put(_Pending(operation, request, answered))

    @property
    def has_deferred(self) -> bool:
        """Whether rows of answered requests are not in their tables yet."""
        return self._writer is not None and self._writer.has_deferred

    def move_deferred(self, answered: Callable[[Any], None]) -> None:
        """Have these rows moved into their tables; `answered` is called as for `submit`. This request is never refused:
        all callers in one turn of the loop share one."""
        if not self._waiting_for_deferred:
            self._put(_Pending(_move_deferred, None, partial(_answer_all, self._waiting_for_deferred)))
        self._waiting_for_deferred.append(answered)

    def _put(self, pending: _Pending) -> None:
        if self._loop is None or self._thread is None:
            raise Unavailable("the database is closed")
        if not self._turn:
            self._loop.call_soon(self._hand_over)
        self._turn.append(pending)
        self._unanswered += 1

    def _hand_over(self) -> None:
        if self._turn:
            assert self._loop is not None
            self._asked.append((self._loop.time(), self._turn))
            if self._timer is None:
                self._timer = self._loop.call_later(self._timeout / CHECKS, self._answer_late)
            self._queue.put(self._turn)
            self._turn, self._waiting_for_deferred = [], []

    def _answer_late(self) -> None:
        assert self._loop is not None
        self._timer = None
        self._answer_those_asked_before(self._loop.time() - self._timeout)
        if self._asked:
            self._timer = self._loop.call_later(self._timeout / CHECKS, self._answer_late)

    def _answer_those_asked_before(self, moment: float) -> None:
        """The time of these requests is over. They count as waiting until the writer has taken them."""
        for asked, turn in self._asked:
            if asked > moment:
                break
            for pending in turn:
                if not pending.is_late:
                    pending.is_late = True
                    self._tell(pending, _late(has_begun=pending.has_begun))

    def _forget(self, number: int) -> None:
        """So many of the oldest requests are done."""
        self._unanswered -= number
        self._done_of_first += number
        while self._asked and self._done_of_first >= len(self._asked[0][1]):
            self._done_of_first -= len(self._asked.popleft()[1])

    def _work(self, writer: Writer) -> None:
        """The writer's thread."""
        waiting: list[_Pending] = []
        is_open = True
        try:
            while is_open or waiting:
                is_open = self._gather(waiting, writer) and is_open
                batch, waiting = waiting[:BATCH], waiting[BATCH:]
                if batch:
                    self._answer(batch, self._results_of(writer, batch))
                    self._rest(writer, idle=False)
        finally:
            writer.close()

    def _gather(self, waiting: list[_Pending], writer: Writer) -> bool:
        """Take all requests that have come; wait if there are none. Returns False after the last one."""
        try:
            turn = self._queue.get(block=not waiting, timeout=IDLE_AFTER)
        except Empty:
            if waiting:
                return True
            self._rest(writer, idle=True)
            turn = self._queue.get()
        while turn is not None:
            waiting += turn
            try:
                turn = self._queue.get_nowait()
            except Empty:
                return True
        return False

    def _results_of(self, writer: Writer, batch: list[_Pending]) -> list[Any]:
        """The results of a batch. A request that is late already is not done, and its result is None."""
        for pending in batch:
            pending.has_begun = True
        late = [pending.is_late for pending in batch]
        if not any(late):
            return self._commit(writer, batch)
        in_time = [pending for pending, is_late in zip(batch, late, strict=True) if not is_late]
        results = iter(self._commit(writer, in_time) if in_time else ())
        return [None if is_late else next(results) for is_late in late]

    def _commit(self, writer: Writer, batch: list[_Pending]) -> list[Any]:
        try:
            return writer.transact(lambda transaction: _perform(transaction, batch))
        except Unavailable as error:
            # A new exception for each: one that is raised in many places collects all their tracebacks.
            return [Unavailable(error.message, retry_after=error.retry_after) for _ in batch]
        except Exception as error:  # noqa: BLE001 - the one who asked for it gets it
            if len(batch) == 1:
                return [error]
        half = len(batch) // 2
        return self._commit(writer, batch[:half]) + self._commit(writer, batch[half:])

    def _answer(self, batch: list[_Pending], results: list[Any]) -> None:
        assert self._loop is not None
        # If the loop was closed without `stop`, there is nobody to answer.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._resolve, batch, results)

    def _resolve(self, batch: list[_Pending], results: list[Any]) -> None:
        self._forget(len(batch))
        for pending, result in zip(batch, results, strict=True):
            # A caller that was told that the request may be stored is called again only if it is.
            if not (pending.is_late and (result is None or isinstance(result, Exception))):
                self._tell(pending, result)

    def _tell(self, pending: _Pending, result: Any) -> None:
        try:
            pending.answered(result)
        except Exception:
            log.exception("the answer to a request could not be delivered")

    def _rest(self, writer: Writer, *, idle: bool) -> None:
        try:
            writer.rest(idle=idle)
        except Unavailable as error:
            log.warning("the database's upkeep is put off: %s", error.message)
        except Exception:
            log.exception("the database's upkeep failed; it is tried again later")


def _late(*, has_begun: bool) -> Unavailable:
    if has_begun:
        return Unavailable("the database does not answer; it is not known whether this was stored", retry_after=1000)
    return Unavailable("nothing can be stored now: the database does not answer", retry_after=1000)


def _move_deferred(transaction: Transaction, requests: Sequence[Any]) -> list[Any]:
    transaction.rows(_ANYTHING)
    return [None] * len(requests)


def _answer_all(waiting: list[Callable[[Any], None]], result: Any) -> None:
    for answered in waiting:
        answered(result)


def _perform(transaction: Transaction, batch: list[_Pending]) -> list[Any]:
    """Call each operation once. Requests of one operation keep their order."""
    places: dict[Operation[Any, Any], list[int]] = {}
    for place, pending in enumerate(batch):
        places.setdefault(pending.operation, []).append(place)
    results: list[Any] = [None] * len(batch)
    for operation, of_operation in places.items():
        given = operation(transaction, [batch[place].request for place in of_operation])
        for place, result in zip(of_operation, given, strict=True):
            results[place] = result
    return results
