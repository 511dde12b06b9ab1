"""Nodes that share Redis and no database compare their secrets: a guest of one node must be believed by the others.

Redis has the fingerprint of the secret with which the node signs that started last. It expires with the nodes.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from hubbub.broker.redis_address import RedisAddress
from hubbub.errors import ConfigurationError
from hubbub.presence.base import MADE

log = logging.getLogger("hubbub.presence")

Call = Callable[..., Awaitable[Any]]


class CommonSecret:
    """`fingerprints` are as in `Names.start`. `milliseconds` is how long Redis remembers nodes that are gone."""

    def __init__(self, address: RedisAddress, key: str, fingerprints: Sequence[str], milliseconds: int) -> None:
        self._address = address
        self._key = key
        self._fingerprints = fingerprints
        self._milliseconds = milliseconds

    async def compare(self, call: Call) -> None:
        """Raises `ConfigurationError` if the other nodes were given a secret that this one does not know."""
        if not self._fingerprints:
            return
        ours = self._fingerprints[0]
        theirs = await call("SET", self._key, ours, "NX", "GET", "PX", self._milliseconds)
        known = theirs is None or theirs.decode() in self._fingerprints
        if not known and not theirs.startswith(MADE.encode()):
            raise ConfigurationError(
                f"{self._address}: the other nodes have another HUBBUB_SECRET than this one: give all of them the "
                "same. To change it, give the one that they had as HUBBUB_PREVIOUS_SECRET (see docs/scaling.md). If "
                f"the others are gone, this is over within {self._milliseconds / 1000:g} s"
            )
        if not known:
            log.warning(
                "guests who were on another node, or here before the start, get another name on this one: give all "
                "nodes the same HUBBUB_SECRET"
            )
        await call("SET", self._key, ours, "PX", self._milliseconds)

    async def renew(self, call: Call) -> None:
        """Call it as long as the node runs, more often than Redis forgets it."""
        if self._fingerprints and not await call("PEXPIRE", self._key, self._milliseconds):
            await call("SET", self._key, self._fingerprints[0], "NX", "PX", self._milliseconds)
