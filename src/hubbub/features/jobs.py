"""Periodic work of a hub: on each node, or on one node of the cluster."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from hubbub.store.leases import Lease, LeaseLost, Leases

log = logging.getLogger("hubbub")


@dataclass(frozen=True, slots=True)
class Job:
    """What is done again and again on each node, `seconds` apart. One that raises is logged, and goes on.

    It is for what concerns the node's own connections and memory.
    """

    seconds: float
    do: Callable[[], Awaitable[None] | None]


@dataclass(frozen=True, slots=True)
class LeasedJob:
    """What is done again and again by one node of the cluster, `seconds` apart: the one that holds the lease `name`.

    It is for what concerns the database. When that node stops, another goes on at once; when it dies or is cut off, ten
    seconds later. Work that goes on when its lease is over is cancelled, so it must be able to begin again. What it
    writes must be guarded: `lease.transact(database, work)`, or `database.write(lease.guard(operation), request)`.
    Without a database that nodes share, each node has all leases.
    """

    name: str
    """The same on all nodes, and of no other job. Never change it while nodes run."""
    seconds: float
    do: Callable[[Lease], Awaitable[None] | None]

    async def run(self, leases: Leases) -> None:
        """Do it whenever this node has the lease, until cancelled."""
        while True:
            await asyncio.sleep(self.seconds)
            lease = leases.held(self.name)
            if lease is None:
                continue
            try:
                async with lease.working():
                    work = self.do(lease)
                    if work is not None:
                        await work
            except LeaseLost as lost:
                log.warning("%s ended before it was done: %s", self.name, lost)
            except Exception:
                log.exception("%s failed", self.name)
