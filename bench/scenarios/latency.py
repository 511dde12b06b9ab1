"""A load that every server can carry: how long does a message take?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from bench.load import fixed_rate, percentile
from bench.members import joined
from bench.scenarios.base import LOST, Metric, Scenario
from bench.server import running
from bench.systems.base import System


@dataclass(frozen=True)
class Latency(Scenario):
    name = "latency"
    summary = "a fixed load: the time of a delivery, from p50 to the slowest"

    members: int = 500
    per_second: float = 50.0
    seconds: float = 2.5
    warm_up: float = 0.3

    @classmethod
    def quick(cls) -> Self:
        return cls(members=20, seconds=0.5, warm_up=0.1)

    def description(self) -> str:
        return (
            f"One room of {self.members:,} members, who take turns to send {self.per_second:g} messages a second, for "
            f"{self.seconds:g} s. The latency of each delivery counts from the moment when its message was due."
        )

    def metrics(self) -> Sequence[Metric]:
        return [
            Metric("p50_ms", "p50 ms", "less"),
            Metric("p99_ms", "p99 ms", "less"),
            Metric("max_ms", "max ms", "less"),
            Metric("cpu_us", "CPU µs", "less"),
            LOST,
        ]

    def measure(self, system: System) -> Mapping[str, float]:
        with running(system) as server, joined(server, ["bench"] * self.members) as members:
            result = fixed_rate(server, members, per_second=self.per_second, warm_up=self.warm_up, seconds=self.seconds)
        return {
            "p50_ms": percentile(result.seconds, 50) * 1e3,
            "p99_ms": percentile(result.seconds, 99) * 1e3,
            "max_ms": result.seconds[-1] * 1e3,
            "cpu_us": result.server_cpu / result.delivered * 1e6,
            LOST.key: result.lost,
        }
