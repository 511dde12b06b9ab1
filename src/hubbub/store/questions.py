"""Questions to the database that share queries.

All questions of one turn of the event loop, and those that come while a query runs, share one query: two thousand
clients that connect at once need a few queries. There is one query at a time, so that a slow database is not asked more
often than it answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Generic, TypeVar

from hubbub.errors import Unavailable
from hubbub.store.base import Transaction
from hubbub.store.database import Database
from hubbub.store.threads import settle

Q = TypeVar("Q")
A = TypeVar("A")


class Questions(Generic[Q, A]):
    """`answer` reads the answers to some questions, in their order, from tables whose rows are never deferred. Who gets
    none within `deadline` seconds is told to come back, with the words `late`."""

    def __init__(
        self,
        database: Database,
        answer: Callable[[Transaction, Sequence[Q]], Sequence[A]],
        *,
        deadline: float,
        late: str,
    ) -> None:
        self._database = database
        self._answer = answer
        self._deadline = deadline
        self._late = late
        self._turn: list[tuple[Q, asyncio.Future[A]]] = []
        self._waiting: list[tuple[Q, asyncio.Future[A]]] = []
        self._flight: asyncio.Task[None] | None = None

    async def ask(self, question: Q) -> A:
        """Raises `Unavailable`."""
        loop = asyncio.get_running_loop()
        if not self._turn:
            loop.call_soon(self._ask)
        answered: asyncio.Future[A] = loop.create_future()
        self._turn.append((question, answered))
        return await answered

    def _ask(self) -> None:
        turn, self._turn = self._turn, []
        too_late = asyncio.get_running_loop().call_later(self._deadline, self._give_up, turn)
        # The last one's answer comes with all others' of the turn.
        turn[-1][1].add_done_callback(lambda _: too_late.cancel())
        self._waiting += turn
        if self._flight is None:
            self._flight = asyncio.ensure_future(self._fly())

    async def _fly(self) -> None:
        while self._waiting:
            asked = [one for one in self._waiting if not one[1].done()]
            self._waiting = []
            if not asked:
                continue
            try:
                questions = [question for question, _ in asked]
                answers = await self._database.read(partial(_read, self._answer, questions), never_deferred=True)
            except Exception as error:  # noqa: BLE001 - those who asked get it
                for _, answered in asked:
                    settle(answered, _again(error))
            else:
                for (_, answered), answer in zip(asked, answers, strict=True):
                    settle(answered, answer)
        self._flight = None

    def _give_up(self, turn: list[tuple[Q, asyncio.Future[A]]]) -> None:
        for _, answered in turn:
            settle(answered, Unavailable(self._late, retry_after=2_000))


def _read(
    answer: Callable[[Transaction, Sequence[Q]], Sequence[A]], questions: Sequence[Q], transaction: Transaction
) -> Sequence[A]:
    return answer(transaction, questions)


def _again(error: Exception) -> Exception:
    """One each: an exception that is raised in many places collects all their tracebacks."""
    return Unavailable(error.message, retry_after=error.retry_after) if isinstance(error, Unavailable) else error
