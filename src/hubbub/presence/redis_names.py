"""Names that belong to one owner on all nodes that share Redis.

A claim is one script in Redis (`names.lua`), so two nodes cannot both get a name. It counts while the node that made it
has a lease. So a claim need not be renewed one by one, and all claims of a node end with it. While Redis is away, each
node knows its own names only.

There is one way back from whatever goes wrong (a lost link, a lease that ran out, a server that was emptied): the node
takes another name for itself, and tells all that it holds again. What others have claimed meanwhile, both hold then.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Sequence
from typing import Any

from hubbub.broker.redis_address import RedisAddress
from hubbub.broker.redis_connection import RedisAway, RedisConnection, ReplyError, Word
from hubbub.broker.redis_keeper import RedisKeeper
from hubbub.broker.redis_link import RedisLink
from hubbub.broker.redis_script import RedisScript
from hubbub.presence.lease import lease_of
from hubbub.presence.redis_secret import CommonSecret

log = logging.getLogger("hubbub.presence")

DEADLINE = 0.5
"""Seconds in which Redis must say whether a name is free. After that only this node is asked."""
EVERY = 1.0
"""Seconds between two renewals of the lease."""
KEPT = 3600.0
"""Seconds after which Redis forgets a claim that was not told again."""
AT_ONCE = 500
"""Claims that are told in one turn."""


class RedisNames:
    """`linger` is for how long those who vanished keep their names, in seconds; so do those of a node that died."""

    _secret: CommonSecret

    def __init__(
        self, address: RedisAddress, *, linger: float, namespace: str = "hubbub", timeout: float = 3.0
    ) -> None:
        self._link = RedisLink(address, timeout=timeout, greet=self._greet, connected=self._wake, lost=self._lost)
        self._keeper = RedisKeeper(
            self._link, self._renew, seconds=EVERY, log=log, refused="refuses names, and each node knows its own only"
        )
        self._prefix = f"{namespace}:names:"
        self._id = secrets.token_hex(6)
        self._lives = 0
        self._lease = lease_of(linger)
        self._held: Counter[tuple[str, str]] = Counter()
        """How often an owner has claimed a word on this node."""
        self._script = RedisScript(__package__, "names.lua")
        self._told = asyncio.Event()
        """Whether Redis knows all that is held here."""
        self._told_at = 0.0

    async def start(self, fingerprints: Sequence[str]) -> None:
        self._secret = CommonSecret(self._link.address, f"{self._prefix}secret", fingerprints, self._lease)
        await self._link.start()
        self._keeper.start()

    async def stop(self) -> None:
        await self._keeper.stop()
        await self._link.stop()

    async def claim(self, owner: str, needed: Sequence[str], shared: Sequence[str] = ()) -> bool:
        words = (*needed, *shared)
        for word in words:
            self._held[owner, word] += 1
        is_claimed = False
        try:
            async with asyncio.timeout(DEADLINE):
                is_claimed = await self._ask(owner, needed, words)
        except (RedisAway, TimeoutError):
            is_claimed = True
        except ReplyError as error:
            self._keeper.note(error)
            is_claimed = True
        finally:
            if not is_claimed:
                self.release(owner, words)
        return is_claimed

    def release(self, owner: str, words: Sequence[str]) -> None:
        for word in words:
            self._held[owner, word] -= 1
            if self._held[owner, word] <= 0:
                del self._held[owner, word]
                # If Redis does not hear of it, the link is lost, and this node begins again without the word.
                self._link.send(("SREM", f"{self._prefix}held:{word}", f"{owner} {self._node}"), lambda _: None)

    @property
    def problem(self) -> str | None:
        return self._keeper.problem

    @property
    def _node(self) -> str:
        return f"{self._id}.{self._lives}"

    async def _ask(self, owner: str, needed: Sequence[str], words: Sequence[str]) -> bool:
        while self._link.is_up:
            reply = await self._run(owner, needed, words)
            if reply >= 0:
                return bool(reply)
            # The lease has run out, and other names of this node are free in Redis too.
            self._lost()
            await self._told.wait()
        return True

    async def _run(self, owner: str, needed: Sequence[str], words: Sequence[str]) -> int:
        arguments: tuple[Word, ...] = (self._prefix, self._node, owner, round(1000 * KEPT), len(needed), *words)
        return int(await self._script.call(self._link, *arguments))

    # Keeping the lease.

    async def _greet(self, connection: RedisConnection) -> None:
        await self._script.load(connection)
        await self._secret.compare(connection.call)

    def _wake(self) -> None:
        self._keeper.wake()

    def _lost(self) -> None:
        self._told.clear()
        self._keeper.wake()

    async def _renew(self) -> None:
        try:
            await self._secret.renew(self._link.call)
            if not self._told.is_set() or not await self._set_lease("XX"):
                await self._begin_again()
            elif asyncio.get_running_loop().time() - self._told_at > KEPT / 3:
                await self._tell_all()
        except (RedisAway, ReplyError):
            self._told.clear()
            raise

    async def _begin_again(self) -> None:
        self._told.clear()
        former, self._lives = self._node, self._lives + 1
        await self._set_lease()
        await self._tell_all()
        await self._link.call("DEL", f"{self._prefix}node:{former}")
        self._told.set()

    async def _set_lease(self, *only_if: str) -> Any:
        return await self._link.call("SET", f"{self._prefix}node:{self._node}", "", *only_if, "PX", self._lease)

    async def _tell_all(self) -> None:
        claims = list(self._held)
        for first in range(0, len(claims), AT_ONCE):
            # Some may have been released since.
            held = [claim for claim in claims[first : first + AT_ONCE] if claim in self._held]
            await asyncio.gather(*(self._run(owner, (), (word,)) for owner, word in held))
        self._told_at = asyncio.get_running_loop().time()
