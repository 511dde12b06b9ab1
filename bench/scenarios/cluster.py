"""Two nodes: what does a message cost that crosses Redis, and how much later does it arrive?"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Self

from bench.load import ClosedLoop, Latencies, Throughput, fixed_rate, percentile
from bench.members import Member, joined
from bench.nodes import Engines, engines
from bench.scenarios.base import LOST, Metric, Scenario
from bench.server import Group
from bench.systems.base import System


@dataclass(frozen=True)
class Cluster(Scenario):
    """Each arrangement of the members has fresh nodes and a room of its own, so that none inherits what another one
    left behind. The fixed rate comes before the load that keeps the nodes busy."""

    name = "cluster"
    summary = "two nodes with Redis between them: deliveries per CPU second, and the time that a message takes"
    part_of_all = False

    members: int = 500
    outstanding: tuple[int, ...] = (1, 32)
    per_second: float = 50.0
    seconds: float = 2.5
    warm_up: float = 0.5

    @classmethod
    def quick(cls) -> Self:
        return cls(members=20, outstanding=(1, 4), seconds=1.0, warm_up=0.1)

    def description(self) -> str:
        most = self.outstanding[-1]
        return (
            f"Two nodes, Redis and PostgreSQL, all on one core. One member of a room is on the first node and sends; "
            f"{self.members:,} are on the second one. W messages are outstanding at any time: not yet back at the "
            f"sender, not yet acked, or not yet with the last of the others; {self.seconds:g} s for each W. CPU is "
            f"that of all these processes, user and system. p50 and p99: {self.per_second:g} messages a second to the "
            "second node. Then half of the members are on each node: added is how much later the messages arrive on "
            "the second one than on the first, at the same rate, at p50; split is the CPU per delivery relative to "
            f"that with all members on the first node (W={most}). Idle node: what the second node uses "
            "of the core then, when it has no member and the first one is as busy as it can be."
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
            Metric("idle_node", "idle node, % of a core", "less"),
            LOST,
        ]

    def measure(self, system: System) -> Mapping[str, float]:
        with engines(system) as behind:
            apart = self._apart(behind)
            split = self._split(behind)
            together = self._together(behind)
        split_cpu, together_cpu = split.pop("cpu"), together.pop("cpu")
        lost = sum(part.pop(LOST.key) for part in (apart, split, together))
        return {**apart, **split, "split": split_cpu / together_cpu, **together, LOST.key: lost}

    def _apart(self, behind: Engines) -> dict[str, float]:
        room, values = "apart", {}
        with (
            behind.nodes() as ((near, far), everything),
            joined(near, [room]) as sender,
            joined(far, [room] * self.members, first=1) as others,
        ):
            heard = self._listen(everything, [*sender, *others], sender)
            lost = heard.lost
            for w in self.outstanding:
                result = self._load(everything, [*sender, *others], sender, others[-1:], w)
                values[f"per_cpu_second_w{w}"] = result.deliveries / result.server_cpu
                lost += result.lost
        seconds = heard.of(others)
        values |= {"p50_ms": percentile(seconds, 50) * 1e3, "p99_ms": percentile(seconds, 99) * 1e3}
        return {**values, LOST.key: lost}

    def _split(self, behind: Engines) -> dict[str, float]:
        room, half = "split", self.members // 2
        with (
            behind.nodes() as ((near, far), everything),
            joined(near, [room] * half, first=1_000) as here,
            joined(far, [room] * half, first=2_000) as there,
        ):
            heard = self._listen(everything, [*here, *there], here[:1])
            result = self._load(everything, [*here, *there], here[:1], there[-1:], self.outstanding[-1])
        added = percentile(heard.of(there), 50) - percentile(heard.of(here), 50)
        cpu = result.server_cpu / result.deliveries
        return {"added_ms": added * 1e3, "cpu": cpu, LOST.key: heard.lost + result.lost}

    def _together(self, behind: Engines) -> dict[str, float]:
        with (
            behind.nodes() as ((near, idle), everything),
            joined(near, ["together"] * self.members, first=3_000) as members,
        ):
            began, before = time.perf_counter(), idle.cpu_seconds()
            result = self._load(everything, members, members[:1], (), self.outstanding[-1])
            share = (idle.cpu_seconds() - before) / (time.perf_counter() - began)
        return {"idle_node": 100 * share, "cpu": result.server_cpu / result.deliveries, LOST.key: result.lost}

    def _load(
        self,
        servers: Group,
        members: Sequence[Member],
        senders: Sequence[Member],
        witnesses: Sequence[Member],
        w: int,
    ) -> Throughput:
        with closing(ClosedLoop(servers, members, senders, witnesses)) as load:
            return load.run(outstanding=w, warm_up=self.warm_up, seconds=self.seconds)

    def _listen(self, servers: Group, members: Sequence[Member], senders: Sequence[Member]) -> Latencies:
        return fixed_rate(
            servers, members, senders, per_second=self.per_second, warm_up=self.warm_up, seconds=self.seconds
        )
