"""How many connections on all nodes get the publications of a channel.

A node asks all nodes that follow the channel. Each answers in a channel of the asking node. Redis says how many nodes
got the question, and the node waits for so many answers.
"""

from __future__ import annotations

import asyncio
from functools import partial
from struct import Struct

from hubbub.broker.envelope import SENDER_BYTES

_QUESTION, _ANSWER = b"?", b"!"
"""First bytes. A publication begins with the version of its format, which is lower than both."""
_ASKS = Struct(f">c{SENDER_BYTES}sI")
_ANSWERS = Struct(">cII")
_NUMBERS = 1 << 32

ANSWERS_WITHIN = 0.5
"""Seconds for which a node waits for all answers."""
HURRIED_WITHIN = 0.1
"""The same, while a node is known to be silent. So a node that is frozen does not make everybody wait who publishes."""
SILENCE_KNOWN = 5.0
"""Seconds for which that is known."""


class Counting:
    """The questions of one node to one server. `sender` is the node's name in its publications."""

    def __init__(self, sender: bytes) -> None:
        self._sender = sender
        self._last = 0
        self._open: dict[int, _Question] = {}
        self._silence_until = float("-inf")

    def ask(self) -> tuple[bytes, _Question]:
        """A question to publish, and the object that waits for its answers."""
        self._last = (self._last + 1) % _NUMBERS
        question = self._open[self._last] = _Question()
        question.answered.add_done_callback(partial(self._close, self._last))
        return _ASKS.pack(_QUESTION, self._sender, self._last), question

    async def sum(self, question: _Question, expected: int) -> int:
        """The sum of so many answers, or of those that come in time."""
        loop = asyncio.get_running_loop()
        is_hurried = loop.time() < self._silence_until
        is_complete = await question.wait(expected, HURRIED_WITHIN if is_hurried else ANSWERS_WITHIN)
        if not (is_complete or is_hurried):
            self._silence_until = loop.time() + SILENCE_KNOWN
        return question.count

    def _close(self, number: int, _: asyncio.Future[None]) -> None:
        del self._open[number]

    def answered(self, packed: bytes) -> None:
        """Take an answer. Raises ValueError if it is not one."""
        if len(packed) != _ANSWERS.size or not packed.startswith(_ANSWER):
            raise ValueError("no answer")
        _, number, count = _ANSWERS.unpack(packed)
        question = self._open.get(number)
        if question is not None:
            question.add(count)


class _Question:
    def __init__(self) -> None:
        self.answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._expected: int | None = None
        self._answers = 0
        self.count = 0
        """The sum of the answers."""

    def add(self, count: int) -> None:
        self._answers += 1
        self.count += count
        self._end_if_complete()

    async def wait(self, expected: int, seconds: float) -> bool:
        """Returns when so many answers have come; False if they do not come in so many seconds."""
        self._expected = expected
        self._end_if_complete()
        await asyncio.wait({self.answered}, timeout=seconds)
        return not self.answered.cancel()

    def _end_if_complete(self) -> None:
        if self._expected is not None and self._answers >= self._expected and not self.answered.done():
            self.answered.set_result(None)


def is_question(packed: bytes) -> bool:
    return packed.startswith(_QUESTION)


def asker_of(packed: bytes) -> bytes:
    """The node that asks. Raises ValueError if this is not a question."""
    if len(packed) != _ASKS.size:
        raise ValueError("no question")
    sender: bytes = _ASKS.unpack(packed)[1]
    return sender


def answer(packed: bytes, count: int) -> bytes:
    """The answer to a question."""
    return _ANSWERS.pack(_ANSWER, _ASKS.unpack(packed)[2], count)
