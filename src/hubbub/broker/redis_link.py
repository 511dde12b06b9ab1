"""A link to one Redis server: a connection that is made again whenever it is lost, with back-off and jitter.

It knows no channels. Each part that needs Redis makes its own link, so that one part's backlog or long script does not
delay the others.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

from hubbub.broker.redis_address import RedisAddress
from hubbub.broker.redis_connection import Answered, RedisAway, RedisConnection, Word
from hubbub.broker.redis_greeting import reason_of, say_hello
from hubbub.errors import ConfigurationError

log = logging.getLogger("hubbub.broker")

PAUSES = (0.05, 3.0)
"""Seconds before the first attempt to connect again, and the most before a later one. The wait doubles each time, and
up to half of it is taken off at random."""


class RedisLink:
    """A link to a server, from `start` to `stop`.

    `greet` is awaited on each new connection before it is used; if it raises, the connection ends. `connected` is
    called when the link is up, `lost` when it is down again, and `pushed` with each push of the server. `timeout` is in
    seconds, for connecting and for each answer.
    """

    def __init__(
        self,
        address: RedisAddress,
        *,
        timeout: float,
        greet: Callable[[RedisConnection], Awaitable[None]] | None = None,
        connected: Callable[[], None] = lambda: None,
        lost: Callable[[], None] = lambda: None,
        pushed: Callable[[list[Any]], None] = lambda _: None,
    ) -> None:
        self.address = address
        self._timeout = timeout
        self._greet = greet
        self._connected = connected
        self._lost = lost
        self._pushed = pushed
        self._connection: RedisConnection | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._tls: ssl.SSLContext | None = None
        self._why = "it is not started"

    def __repr__(self) -> str:
        return f"<RedisLink {self.address}: {self.problem or 'up'}>"

    @property
    def is_up(self) -> bool:
        return self._connection is not None and self._connection.is_open

    @property
    def problem(self) -> str | None:
        """Why the server is not used now, with its address and without its password; None if it is."""
        if self.is_up:
            return None
        why = self._connection.why if self._connection is not None else self._why
        return f"{self.address}: {why}"

    @property
    def backlog(self) -> int:
        """Bytes that wait to be sent."""
        return self._connection.backlog if self._connection is not None else 0

    async def start(self) -> None:
        """Connect. A server that cannot be reached is tried again in the background.

        Raises `ConfigurationError` if a person must change something.
        """
        # Certificates are read once: that blocks for some milliseconds.
        self._tls = self.address.tls()
        try:
            self._use(await self._connect())
        except RedisAway as error:
            self._why = str(error)
            self._log_down(f"is away: {error}; it is tried again until it is there")
        self._keeping = asyncio.get_running_loop().create_task(self._keep_up())

    async def stop(self) -> None:
        """Send what is pending, and disconnect."""
        if self._connection is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._timeout):
                    await self._connection.all_answered()
        if self._keeping is not None:
            self._keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeping
        self._keeping = None
        self.cut("it is stopped")
        self.address.log.forget(self)

    def send(self, command: tuple[Word, ...], answered: Answered) -> None:
        """Send a command, in one write with all others of this turn. It is answered once; with `RedisAway` if the link
        is down, or goes down before the reply."""
        if self._connection is None:
            answered(RedisAway(self._why))
        else:
            self._connection.send(command, answered)

    async def call(self, *command: Word) -> Any:
        """A command's reply. Raises `ReplyError` if the server refuses it, `RedisAway` if no reply comes."""
        if self._connection is None:
            raise RedisAway(self._why)
        return await self._connection.call(*command)

    def cut(self, why: str) -> None:
        """End the connection; another one follows unless the link is stopped."""
        if self._connection is not None:
            self._connection.end(RedisAway(why))

    # Keeping the link up.

    async def _keep_up(self) -> None:
        loop = asyncio.get_running_loop()
        pause = PAUSES[0]
        while True:
            if self._connection is not None:
                began = loop.time()
                await self._lose(self._connection)
                if loop.time() - began > PAUSES[1]:
                    pause = PAUSES[0]
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311
            pause = min(2 * pause, PAUSES[1])
            try:
                self._use(await self._connect())
            except (RedisAway, ConfigurationError) as error:
                self._note(str(error).removeprefix(f"{self.address}: "))
            except Exception:
                log.exception("%s could not be connected to", self.address)

    def _use(self, connection: RedisConnection) -> None:
        self.address.log.connected(self, self.address)
        self._connection = connection
        self._connected()

    async def _lose(self, connection: RedisConnection) -> None:
        """Returns when a connection is lost."""
        try:
            self._why = str(await connection.lost)
        finally:
            self._connection = None
            connection.end(RedisAway("it is stopped"))
        self._log_down(f"was lost: {self._why}")
        self._lost()

    def _note(self, why: str) -> None:
        if why != self._why:
            self._why = why
            self._log_down(f"is away: {why}")

    def _log_down(self, what: str) -> None:
        self.address.log.is_down(self, self.address, what)

    async def _connect(self) -> RedisConnection:
        """A new connection on which the server was greeted. Raises `ConfigurationError`, `RedisAway`."""
        loop = asyncio.get_running_loop()
        connection = RedisConnection(pushed=self._pushed, timeout=self._timeout)
        try:
            async with asyncio.timeout(self._timeout):
                await loop.create_connection(lambda: connection, self.address.host, self.address.port, ssl=self._tls)
                await say_hello(connection, self.address)
                if self._greet is not None:
                    await self._greet(connection)
        except BaseException as error:
            connection.end(RedisAway("it was not greeted"))
            if not isinstance(error, Exception):
                raise
            has_heard = connection.has_heard
            raise reason_of(error, self.address, timeout=self._timeout, has_heard=has_heard) from None
        return connection
