"""A hub with a job that one node of the cluster does: it writes down who did it, and under which number of the lease.

`tests/faults/test_leased_jobs.py` runs it as real processes. The lease is short, so that they need not wait for long.
"""

import os
from collections.abc import Iterable, Sequence

from fastapi import FastAPI

from hubbub import Feature, Hubbub
from hubbub.features.jobs import LeasedJob
from hubbub.store import leases
from hubbub.store.base import Transaction
from hubbub.store.leases import Lease
from hubbub.store.statement import Statement

leases.SECONDS = 3.0

TABLE = "CREATE TABLE turns (turn INTEGER PRIMARY KEY, node TEXT NOT NULL, number INTEGER NOT NULL)"
# Without the lease, two nodes would take the same turn at times.
NEXT = Statement("SELECT coalesce(max(turn), 0) + 1 FROM turns")
ADD = Statement("INSERT INTO turns (turn, node, number) VALUES (:turn, :node, :number)")


def take_turns(transaction: Transaction, requests: Sequence[tuple[str, int]]) -> list[None]:
    for node, number in requests:
        ((turn,),) = transaction.rows(NEXT)
        transaction.run(ADD, turn=turn, node=node, number=number)
    return [None] * len(requests)


class Turns(Feature):
    name = "turns"
    scripts = (TABLE,)

    def jobs(self) -> Iterable[LeasedJob]:
        yield LeasedJob("turns", 0.01, self.take_turn)

    async def take_turn(self, lease: Lease) -> None:
        assert self.services.database is not None
        await self.services.database.write(lease.guard(take_turns), (os.environ["NODE"], lease.number))


hub = Hubbub(guests="on", features=[Turns()])
app = FastAPI()
app.include_router(hub.router)
