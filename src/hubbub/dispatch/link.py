"""A connection's dispatcher: decode, limit, dispatch, answer.

A link knows commands and answers. Of rooms it knows only their channels, so that an answer can leave together with the
command's own event. It knows no sockets, and does not know what a command does.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from inspect import isawaitable
from time import thread_time
from typing import Any

from hubbub.accounts.policies import permit
from hubbub.delivery.connection import Connection, Pause
from hubbub.dispatch.answers import Answer, Later
from hubbub.dispatch.registry import Registration, Registry
from hubbub.errors import Internal, Invalid, RateLimited, RequestError, UnknownType
from hubbub.limits import SECONDS_PER_WORK, TokenBucket
from hubbub.settings import Settings
from hubbub.wire.answers import Ack, ErrorEvent
from hubbub.wire.base import Command, Reply
from hubbub.wire.codes import CloseCode
from hubbub.wire.easy_door import read_easily
from hubbub.wire.frames import Opcode

log = logging.getLogger("hubbub.link")


LARGE = 4 * 1024
"""From this many bytes on, a command's sender is charged for the time that decoding takes: a frame of lists can take a
hundred times as long as a text."""

FORGIVEN = 1.0
"""Violations per second that are forgiven."""


class Link:
    """Understands the messages of one connection. `room` is set if the client came through the easy door.

    `on_closed` is called once. Its flag says whether the client closed the connection and did not just vanish.
    """

    __slots__ = (
        "_bucket",
        "_connection",
        "_limits",
        "_not_before",
        "_on_closed",
        "_on_relieved",
        "_registry",
        "_room",
        "_unanswered",
        "_violations",
        "together",
    )

    def __init__(
        self,
        connection: Connection,
        registry: Registry,
        limits: Settings,
        *,
        room: str | None,
        on_relieved: Callable[[Connection, dict[str, int | None]], None],
        on_closed: Callable[[Connection, bool], None],
    ) -> None:
        self._connection = connection
        self._registry = registry
        self._limits = limits
        self._room = room
        self._on_relieved = on_relieved
        self._on_closed = on_closed
        # Both are of this node: to ask all nodes would take a round trip to Redis for each message.
        self._bucket = TokenBucket()
        self.together: TokenBucket | None = None
        """That of all connections of this user to this node; None as long as there is one."""
        self._violations: TokenBucket | None = None
        """Made at the first violation: most clients never need it."""
        self._not_before = 0.0
        """The time until which the client was told to wait."""
        self._unanswered = 0

    def receive(self, opcode: int, payload: bytes) -> None:
        limits = self._limits
        now = self._connection.fanout.loop.time()
        wait = self._bucket.take(now, rate=limits.rate, burst=limits.burst)
        if self.together is not None and not wait:
            times = limits.rate_per_user
            wait = self.together.take(now, rate=limits.rate * times, burst=int(limits.burst * times))
        if wait:
            wait = self._too_fast(wait, now)
            if not self._connection.is_open:
                return
        if opcode > Opcode.BINARY:
            return
        if len(payload) < LARGE:
            self._read(opcode, payload, wait)
            return
        began = thread_time()
        self._read(opcode, payload, wait)
        self._connection.charge((thread_time() - began) / SECONDS_PER_WORK)

    def _read(self, opcode: int, payload: bytes, wait: float) -> None:
        frame: Any = None
        try:
            frame = self._decode(opcode, payload)
            if wait:
                raise RateLimited("too many commands; slow down", retry_after=math.ceil(wait * 1000))
            command = self._registry.commands.validate(frame)
        except RequestError as error:
            self._refuse(error, *_address(frame))
            return
        self.perform(command)

    def _too_fast(self, wait: float, now: float) -> float:
        """Count a violation, and close the connection if there are too many. Returns the seconds that the client has to
        wait. They are 0.0 if the commands came in time and the server was late to read them."""
        connection, limits = self._connection, self._limits
        connection.fanout.notice_freeze()
        if connection.unread >= 1 / limits.rate:
            connection.unread -= 1 / limits.rate
            return 0.0
        if now < self._not_before:
            self._violations = self._violations or TokenBucket()
            if self._violations.take(now, rate=FORGIVEN, burst=limits.violations):
                connection.close(CloseCode.POLICY_VIOLATION, "too many commands, again and again")
        self._not_before = now + wait
        return wait

    def _decode(self, opcode: int, payload: bytes) -> Any:
        codec = self._connection.format.codec
        if (opcode == Opcode.BINARY) is not codec.binary:
            raise Invalid(f"{codec.subprotocol} takes {'binary' if codec.binary else 'text'} frames only")
        if self._room is not None:
            return read_easily(codec, payload, room=self._room, commands=self._registry.commands)
        try:
            return codec.decode(payload)
        except Invalid as error:
            if codec.binary or payload.lstrip()[:1] == b"{":
                raise
            raise Invalid(f"{error.message}; plain text is taken where the address names a room: /ws/chat/…") from None

    def perform(self, command: Command) -> None:
        """Do a command, and answer it. The client need not have sent it: some addresses imply a command."""
        work = self._begin(command)
        if work is not None:
            run(work)

    async def complete(self, command: Command) -> None:
        """`perform` for a caller that has a task: the command needs no other one."""
        work = self._begin(command)
        if work is not None:
            await work

    def _begin(self, command: Command) -> Coroutine[Any, Any, None] | None:
        """Do a command. Returns a coroutine that answers it, if that takes a task."""
        registration = self._registry.of(command)
        try:
            if registration.place is None:
                answer = registration.handler(self._connection, command)
            else:
                place = registration.place(self._connection, command)
                if registration.action is not None:
                    permit(self._registry.policy, self._connection.user, registration.action, place.key)
                answer = registration.handler(self._connection, command, place)
        except Exception as error:  # noqa: BLE001 - a handler may be the application's own
            self._failed(command, error)
            return None
        if isinstance(answer, Later):
            if answer.given is not None:
                self._answer(command, registration, *answer.given)
                return None
            self._wait(registration)
            answer.then(partial(self._done, command, registration))
            return None
        if isawaitable(answer):
            self._wait(registration)
            return self._finish(command, registration, answer)
        self._answer(command, registration, answer)
        return None

    def _wait(self, registration: Registration) -> None:
        self._unanswered += 1
        if registration.in_order:
            self._connection.pause(Pause.ORDER)
        elif self._unanswered >= self._limits.unanswered:
            self._connection.pause(Pause.UNANSWERED)

    async def _finish(self, command: Command, registration: Registration, answer: Awaitable[Answer]) -> None:
        try:
            done: Answer | Exception = await answer
        except Exception as error:  # noqa: BLE001 - as above
            done = error
        self._done(command, registration, done)

    def _done(self, command: Command, registration: Registration, answer: Answer | Exception) -> None:
        try:
            self._answer(command, registration, answer)
        finally:
            self._unanswered -= 1
            if registration.in_order:
                self._connection.resume(Pause.ORDER)
            if self._unanswered < self._limits.unanswered:
                self._connection.resume(Pause.UNANSWERED)

    def _answer(self, command: Command, registration: Registration, answer: Answer | Exception) -> None:
        try:
            if isinstance(answer, Ack):
                if command.id is not None:
                    answer.id = command.id
                    # The sender mostly gets the event of its own change at the same moment.
                    along = None if answer.room is None else self._registry.channel_of(answer.room)
                    self._connection.reply(answer, along=along)
            elif answer is None:
                if command.id is not None and not registration.replies_itself:
                    self._connection.reply(Ack(id=command.id))
            elif isinstance(answer, Reply):
                answer.id = command.id
                self._connection.reply(answer)
            elif isinstance(answer, Exception):
                self._failed(command, answer)
            else:
                raise TypeError(
                    f"a handler of {command.type!r} must return a Reply or None, not {type(answer).__name__}"
                )
        except Exception as error:  # noqa: BLE001 - as above
            self._failed(command, error)

    def _failed(self, command: Command, error: Exception) -> None:
        if not isinstance(error, RequestError):
            log.error("command %r of %s failed", command.type, self._connection.id, exc_info=error)
            error = Internal("the server failed; its log says more")
        self._refuse(error, command.type, command.id, getattr(command, "room", None))

    def _refuse(self, error: RequestError, command: str | None, id: str | None, room: str | None) -> None:
        if log.isEnabledFor(logging.DEBUG):
            # The error's message is not logged: it may contain what the user wrote.
            connection = self._connection
            name = "a command" if command is None or isinstance(error, UnknownType) else repr(command)
            log.debug("%s of %s (connection %s) is refused: %s", name, connection.user.key, connection.id, error.code)
        self._connection.reply(ErrorEvent.of(error, id=id, command=command, room=room))

    def relieved(self, missed: dict[str, int | None]) -> None:
        self._on_relieved(self._connection, missed)

    def closed(self, code: int, reason: str) -> None:
        self._on_closed(self._connection, code in CLEAN)


CLEAN = frozenset({CloseCode.NORMAL, CloseCode.GOING_AWAY, 1005})
"""A client that closes with one of these has said goodbye. 1005 is a close frame without a code (RFC 6455, section
7.1.5)."""


def _address(frame: Any) -> tuple[str | None, str | None, str | None]:
    """Type, id and room of a frame that is no valid command, if it has them, for the `error` event."""
    if not isinstance(frame, dict):
        return None, None, None
    type_name, id, room = (
        value if isinstance(value, str) and len(value) <= 64 else None
        for value in (frame.get("type"), frame.get("id"), frame.get("room"))
    )
    return type_name, id, room


_running: set[asyncio.Future[None]] = set()


def run(work: Awaitable[None]) -> None:
    """Start a task that nobody waits for. The loop keeps only weak references to tasks; this keeps strong ones."""
    task = asyncio.ensure_future(work)
    _running.add(task)
    task.add_done_callback(_running.discard)
