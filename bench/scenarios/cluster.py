"""Two nodes: what does a message cost that crosses Redis, and how much later does it arrive?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Self

from bench.load import ClosedLoop, fixed_rate, percentile
from bench.members import Member, joined
from bench.postgres import postgres
from bench.scenarios.base import LOST, Metric, Scenario
from bench.server import Group, Server, running
from bench.systems.base import System
from bench.systems.cluster import HubbubNodes
from bench.systems.redis import Redis

ROOM = "bench"


@dataclass(frozen=True)
class Cluster(Scenario):
    name = "cluster"
    summary = "two nodes with Redis between them: deliveries per CPU second, and the time that a message takes"
    part_of_all = False

    members: int = 500
    outstanding: tuple[int, ...] = (1, 32)
    per_second: float = 50.0
    seconds: float = 2.0
    warm_up: float = 0.5

    @classmethod
    def quick(cls) -> Self:
        return cls(members=20, outstanding=(1, 4), seconds=0.3, warm_up=0.1)

    def description(self) -> str:
        return (
            f"Two nodes and Redis on one core. One member of a room is on the first node and sends; {self.members:,} "
            "are on the second one. W of the messages are outstanding at any time. CPU is that of both nodes and of "
            f"Redis, user and system, {self.seconds:g} s for each W; Hubbub's PostgreSQL is not counted, since nobody "
            f"else stores anything. p50 and p99: {self.per_second:g} messages a second, in the same arrangement; added "
            "is how much later p50 is than for as many members on the sender's node. Split is the CPU per delivery "
            f"(W={self.outstanding[-1]}) with half of the members on each node, relative to all on the sender's."
        )

    def metrics(self) -> Sequence[Metric]:
        per_second = [
            Metric(f"per_cpu_second_w{w}", f"W={w}: deliveries per CPU second", "more") for w in self.outstanding
        ]
        return [
            *per_second,
            Metric("p50_ms", "p50 ms", "less"),
            Metric("p99_ms", "p99 ms", "less"),
            Metric("added_ms", "added ms", "less"),
            Metric("split", "split", "less"),
            LOST,
        ]

    def measure(self, system: System) -> Mapping[str, float]:
        values: dict[str, float] = {}
        lost = 0.0
        with _two_nodes(system) as (near, far, all_servers):
            # New numbers each time: a name that was here a moment ago is still its user's.
            with joined(near, [ROOM]) as sender, joined(far, [ROOM] * self.members, first=1) as others:
                for w in self.outstanding:
                    cpu, missing = self._cpu_per_delivery(all_servers, [*sender, *others], sender, w)
                    values[f"per_cpu_second_w{w}"] = 1 / cpu
                    lost += missing
                far_ms, missing = self._latency(all_servers, others, sender)
                values["p50_ms"], values["p99_ms"] = percentile(far_ms, 50) * 1e3, percentile(far_ms, 99) * 1e3
                lost += missing
            w = self.outstanding[-1]
            with joined(near, [ROOM] * self.members, first=1_000) as members:
                near_ms, missing = self._latency(all_servers, members, members[:1])
                together, also_missing = self._cpu_per_delivery(all_servers, members, members[:1], w)
                lost += missing + also_missing
            half = self.members // 2
            with joined(near, [ROOM] * half, first=2_000) as here, joined(far, [ROOM] * half, first=3_000) as there:
                split, missing = self._cpu_per_delivery(all_servers, [*here, *there], here[:1], w)
                lost += missing
        values["added_ms"] = values["p50_ms"] - percentile(near_ms, 50) * 1e3
        values["split"] = split / together
        return {**values, LOST.key: lost}

    def _cpu_per_delivery(
        self, servers: Group, members: Sequence[Member], senders: Sequence[Member], w: int
    ) -> tuple[float, float]:
        """Seconds, and how many deliveries were lost."""
        with closing(ClosedLoop(servers, members, senders)) as load:
            result = load.run(outstanding=w, warm_up=self.warm_up, seconds=self.seconds)
        return result.server_cpu / result.deliveries, result.lost

    def _latency(
        self, servers: Group, members: Sequence[Member], senders: Sequence[Member]
    ) -> tuple[Sequence[float], float]:
        """Sorted seconds, and how many deliveries were lost."""
        result = fixed_rate(
            servers, members, senders, per_second=self.per_second, warm_up=self.warm_up, seconds=self.seconds
        )
        return result.seconds, result.lost


@contextmanager
def _two_nodes(system: System) -> Iterator[tuple[Server, Server, Group]]:
    database = postgres() if isinstance(system, HubbubNodes) else nullcontext(None)
    with running(Redis()) as redis, database as database_url:
        url = f"redis://127.0.0.1:{redis.port}"
        environment = {"REDIS_URL": url, "HUBBUB_BROKER_URL": url}
        if database_url is not None:
            environment["HUBBUB_DATABASE_URL"] = database_url
        with running(system, environment) as near, running(system, environment) as far:
            yield near, far, Group(system, (near, far, redis))
