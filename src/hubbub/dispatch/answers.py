"""What a handler answers a command with.

Now: it returns a `Reply`, or None for a plain `ack`. Later: it is an `async def` that returns one of these, or it
returns a `Later`. What it raises becomes an `error`, in both cases. A handler whose registration says `replies_itself`
sends its own events and returns None.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import Any, Generic, TypeVar, cast

from hubbub.wire.base import Reply

T = TypeVar("T")
U = TypeVar("U")

Answer = Reply | None


class Later(Generic[T]):
    """A result that comes later. It needs no task and no turn of the event loop, so it suits what is done thousands of
    times a second.

    One side gives the result, or an exception instead; only the first one counts. The other side takes it with `then`
    or, if it has a task anyway, with `await`.
    """

    __slots__ = ("_make", "_taker", "given")

    def __init__(self) -> None:
        self._make: Callable[[Any], Any] | None = None
        self._taker: Callable[[T | Exception], None] | None = None
        self.given: tuple[T | Exception] | None = None
        """The result, when it has come."""

    def give(self, result: T | Exception) -> None:
        if self.given is not None:
            return
        if self._make is not None and not isinstance(result, Exception):
            result = self._make(result)
        self.given = (result,)
        if self._taker is not None:
            self._taker(result)

    def into(self, make: Callable[[T], U]) -> Later[U]:
        """The same object, whose result becomes what `make` returns for the given one. Call it once, before `then`."""
        made = cast("Later[U]", self)
        if self.given is None:
            self._make = make
        elif not isinstance(self.given[0], Exception):
            made.given = (make(self.given[0]),)
        return made

    def then(self, taker: Callable[[T | Exception], None]) -> None:
        """Call `taker` with the result, which is not `given` yet."""
        self._taker = taker

    def __await__(self) -> Generator[Any, None, T]:
        if self.given is None:
            come = asyncio.get_running_loop().create_future()
            self.then(lambda result: None if come.done() else come.set_result(None))
            yield from come
        assert self.given is not None
        if isinstance(self.given[0], Exception):
            raise self.given[0]
        return self.given[0]
