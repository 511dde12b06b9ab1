"""The hooks: functions of an application that are called when something happens.

A hook may be a plain or an `async` function. If it raises or does not end in time, this is logged with its name, and
everything continues as if there were no hook. Only after a failed `before_message` the message is not sent, and its
sender gets `internal`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any

from hubbub.delivery.connection import Connection
from hubbub.errors import Internal, RequestError
from hubbub.wire.identity import User
from hubbub.wire.messages import MessageEvent, SendMessage

log = logging.getLogger("hubbub.hooks")


@dataclass(slots=True)
class Draft:
    """A message that is about to be sent. A `before_message` hook may change `text` and `data`.

    `connection` is None for a message that came by `POST`; `user` is always set.
    """

    connection: Connection | None
    room: str
    text: str
    data: dict[str, Any] | None = None
    _sender: User | None = None

    @property
    def user(self) -> Any:
        return self._sender if self.connection is None else self.connection.user


Result = Awaitable[None] | None
ConnectionHook = Callable[[Connection], Result]
DisconnectHook = Callable[[Connection, int, str], Result]
RoomHook = Callable[[Connection, str], Result]
DraftHook = Callable[[Draft], Awaitable[Draft | None] | Draft | None]
MessageHook = Callable[[MessageEvent], Result]


class Hooks:
    """An application's functions, in a list for each moment."""

    def __init__(self) -> None:
        self.timeout = 10.0
        """Seconds in which a hook must end."""
        self.on_connect: list[ConnectionHook] = []
        self.on_disconnect: list[DisconnectHook] = []
        self.on_join: list[RoomHook] = []
        self.on_leave: list[RoomHook] = []
        self.before_message: list[DraftHook] = []
        self.on_message: list[MessageHook] = []
        self._running: set[asyncio.Task[None]] = set()

    def call(self, hooks: list[Any], *arguments: Any) -> None:
        """Call all hooks of a moment, in order. This does not wait for the `async` ones."""
        for hook in hooks:
            try:
                result = hook(*arguments)
            except Exception:
                log.exception("hook %s failed", _name(hook))
                continue
            if isawaitable(result):
                task = asyncio.ensure_future(self._finish(hook, result))
                self._running.add(task)
                task.add_done_callback(self._running.discard)

    async def _finish(self, hook: Any, result: Awaitable[Any]) -> None:
        try:
            await asyncio.wait_for(result, self.timeout)
        except TimeoutError:
            log.error("hook %s did not end within %g s", _name(hook), self.timeout)  # noqa: TRY400 - no traceback of ours
        except Exception:
            log.exception("hook %s failed", _name(hook))

    async def revise(self, draft: Draft) -> Draft:
        """Let every `before_message` hook change or refuse a message.

        Raises the `RequestError` by which a hook refuses, and `Internal` if one fails.
        """
        for hook in self.before_message:
            try:
                draft = _checked(await self._ask(hook, draft), draft)
            except RequestError:
                raise
            except TimeoutError:
                log.error("hook %s did not end within %g s", _name(hook), self.timeout)  # noqa: TRY400 - as above
                raise Internal("the server failed; its log says more", room=draft.room) from None
            except Exception:
                log.exception("hook %s failed", _name(hook))
                raise Internal("the server failed; its log says more", room=draft.room) from None
        return draft

    async def _ask(self, hook: DraftHook, draft: Draft) -> Any:
        result = hook(draft)
        return await asyncio.wait_for(result, self.timeout) if isawaitable(result) else result


def _checked(result: Any, draft: Draft) -> Draft:
    """The draft that a hook returned or changed. Raises TypeError or ValueError if it cannot be sent."""
    if result is None:
        result = draft
    if not isinstance(result, Draft):
        raise TypeError(f"a before_message hook returns a Draft or None, not {type(result).__name__}")
    result._sender = draft._sender
    SendMessage(room=result.room, text=result.text, data=result.data)
    return result


def _name(hook: Any) -> str:
    return f"{getattr(hook, '__module__', '?')}.{getattr(hook, '__qualname__', repr(hook))}"
