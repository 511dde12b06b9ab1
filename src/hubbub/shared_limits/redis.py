"""Limits of all nodes that share Redis. Each name is on one of the servers.

A node counts for itself, and tells Redis how many it has under a name (`count.lua`). A count is valid while its node
has a lease. Rates are debts in Redis (`rate.lua`). What its own numbers refuse, a node refuses without asking
Redis, and it has these numbers when Redis is away.

If Redis does not answer within `DEADLINE`, nobody asks it until a renewal of the lease was answered in time again.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from hubbub.broker.redis_address import RedisAddress
from hubbub.broker.redis_connection import RedisConnection, ReplyError, Word
from hubbub.broker.redis_keeper import RedisKeeper
from hubbub.broker.redis_link import RedisLink
from hubbub.broker.redis_script import RedisScript
from hubbub.broker.ring import SharedOut
from hubbub.limits import Allowance
from hubbub.shared_limits.base import DEADLINE
from hubbub.shared_limits.local import LocalLimits

log = logging.getLogger("hubbub.limits")

EVERY = 1.0
"""Seconds between two renewals of the lease."""
LEASE = 5.0
"""Seconds after which the counts of a node that is dead or frozen are over."""
KEPT = 3600.0
"""Seconds after which Redis forgets counts that were not told again."""
AT_ONCE = 500
"""Counts that are told before an answer is awaited."""


class RedisLimits:
    """`allowance` is the rate that each name has on all nodes together; `timeout` is in seconds, for connecting and for
    each answer. All nodes must give the addresses in the same order, because the place in the list decides which server
    has a name."""

    reaches_others = True

    def __init__(
        self,
        addresses: Sequence[RedisAddress],
        allowance: Allowance,
        *,
        namespace: str = "hubbub",
        timeout: float = 3.0,
    ) -> None:
        self._allowance = allowance
        self._servers = SharedOut(
            [_Server(address, allowance, f"{namespace}:limits:", timeout=timeout) for address in addresses]
        )

    @property
    def problem(self) -> str | None:
        problems = [problem for server in self._servers if (problem := server.problem)]
        return "; ".join(problems) or None

    async def start(self) -> None:
        await self._servers.start(_Server.start)

    async def stop(self) -> None:
        await self._servers.stop()

    async def enter(self, name: str, most: int) -> bool:
        return await self._servers.of(name).enter(name, most)

    def leave(self, name: str) -> None:
        self._servers.of(name).leave(name)

    async def take(self, name: str, size: float = 1.0, allowance: Allowance | None = None) -> float:
        return await self._servers.of(name).take(name, size, allowance or self._allowance)

    def charge(self, name: str, size: float, allowance: Allowance | None = None) -> None:
        self._servers.of(name).charge(name, size, allowance or self._allowance)


class _Server:
    """One of the servers, and what this node has under the names that are there."""

    def __init__(self, address: RedisAddress, allowance: Allowance, prefix: str, *, timeout: float) -> None:
        self._own = LocalLimits(allowance)
        self._link = RedisLink(address, timeout=timeout, greet=self._greet, connected=self._wake)
        self._keeper = RedisKeeper(
            self._link, self._keep, seconds=EVERY, log=log, refused="refuses limits, and each node has its own"
        )
        self._id = secrets.token_hex(6)
        self._connections = 0
        self._prefix = prefix
        self._count_script = RedisScript(__package__, "count.lua")
        self._rate_script = RedisScript(__package__, "rate.lua")
        self._has_scripts = False
        self._is_prompt = True
        """Whether it is worth waiting for an answer."""
        self._untold: set[str] = set()
        """Names under which Redis may have another count of this node."""
        self._told_at = 0.0

    @property
    def problem(self) -> str | None:
        if self._keeper.problem is None and not self._is_prompt:
            return f"{self._link.address}: it needs more than {DEADLINE:g} s for an answer"
        return self._keeper.problem

    async def start(self) -> None:
        await self._link.start()
        self._keeper.start()

    async def stop(self) -> None:
        await self._keeper.stop()
        self._link.send(("DEL", self._lease), lambda _: None)
        await self._link.stop()

    # Counting.

    async def enter(self, name: str, most: int) -> bool:
        if not await self._own.enter(name, most):
            return False
        is_counted = False
        try:
            reply = await self._ask(self._count(name, most))
            is_counted = reply != 0
            if reply is None:
                self._untold.add(name)
            elif reply < 0:
                self._forgotten()
        finally:
            if not is_counted:
                self.leave(name)
        return is_counted

    def leave(self, name: str) -> None:
        self._own.leave(name)
        if not self._untold:
            # Once for all that leave in this turn.
            asyncio.get_running_loop().call_soon(self._tell_changes)
        self._untold.add(name)

    def _count(self, name: str, most: int | None = None) -> tuple[Word, ...]:
        count = self._own.counts.get(name, 0)
        limit = "" if most is None else most
        return self._count_script.command(self._prefix, self._node, name, count, limit, round(1000 * KEPT))

    # Rates.

    async def take(self, name: str, size: float, allowance: Allowance) -> float:
        wait = await self._own.take(name, size, allowance)
        if wait:
            return wait
        microseconds = await self._ask(self._rate(name, size, allowance))
        if microseconds:
            self._own.charge(name, -size, allowance)
        return (microseconds or 0) / 1e6

    def charge(self, name: str, size: float, allowance: Allowance) -> None:
        self._own.charge(name, size, allowance)
        self._link.send(self._rate(name, size, allowance, is_due=True), self._note_refusal)

    def _rate(self, name: str, size: float, allowance: Allowance, *, is_due: bool = False) -> tuple[Word, ...]:
        cost, most_owed = round(1e6 * size / allowance.rate), round(1e6 * allowance.burst / allowance.rate)
        return self._rate_script.command(f"{self._prefix}rate:{name}", cost, most_owed, int(is_due))

    # Asking.

    async def _ask(self, command: tuple[Word, ...]) -> int | None:
        """What a script answers; None if there is no answer in time."""
        if not (self._is_prompt and self._link.is_up):
            return None
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def answered(reply: Any) -> None:
            if not answer.done():
                answer.set_result(reply)

        self._link.send(command, answered)
        try:
            async with asyncio.timeout(DEADLINE):
                await answer
        except TimeoutError:
            if answer.cancelled():
                self._is_prompt = False
                return None
            # This process was slow, and the answer is there.
        reply = answer.result()
        self._note_refusal(reply)
        return None if isinstance(reply, Exception) else int(reply)

    def _note_refusal(self, reply: Any) -> None:
        if not isinstance(reply, ReplyError):
            return
        if str(reply).startswith("NOSCRIPT"):
            self._has_scripts = False
            self._wake()
        else:
            self._keeper.note(reply)

    # Keeping the lease, and telling Redis what it does not know.

    @property
    def _node(self) -> str:
        """The node's name. It has another one on each connection: what is still on its way on an earlier connection
        must not change what is told now."""
        return f"{self._id}.{self._connections}"

    @property
    def _lease(self) -> str:
        return f"{self._prefix}node:{self._node}"

    async def _greet(self, connection: RedisConnection) -> None:
        await self._load(connection)
        await connection.call("DEL", self._lease)
        self._connections += 1
        await self._renew(connection)

    async def _load(self, server: RedisConnection | RedisLink) -> None:
        await self._count_script.load(server)
        await self._rate_script.load(server)
        self._has_scripts = True

    async def _renew(self, server: RedisConnection | RedisLink) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        had_lease = await server.call("SET", self._lease, "", "PX", round(1000 * LEASE), "GET") is not None
        self._is_prompt = loop.time() - began < DEADLINE
        if not had_lease or began - self._told_at > KEPT / 3:
            self._forgotten()

    def _forgotten(self) -> None:
        """Redis may have none of this node's counts."""
        self._untold.update(self._own.counts)
        self._told_at = asyncio.get_running_loop().time()
        self._wake()

    def _wake(self) -> None:
        self._keeper.wake()

    async def _keep(self) -> None:
        if not self._has_scripts:
            await self._load(self._link)
        await self._renew(self._link)
        await self._tell_all(list(self._untold))

    async def _tell_all(self, names: Sequence[str]) -> None:
        for first in range(0, len(names), AT_ONCE):
            self._tell(names[first : first + AT_ONCE])
            await self._link.call("PING")

    def _tell_changes(self) -> None:
        if self._is_prompt and self._link.is_up:
            self._tell(list(self._untold))

    def _tell(self, names: Iterable[str]) -> None:
        for name in names:
            self._untold.discard(name)
            self._link.send(self._count(name), partial(self._told, name))

    def _told(self, name: str, reply: Any) -> None:
        if reply != 1:
            # The next renewal sees to it.
            self._untold.add(name)
            self._note_refusal(reply)
