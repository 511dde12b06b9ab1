"""One room, many members: how fast, and how cheaply, does a message reach them all?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Self

from bench.load import ClosedLoop
from bench.members import joined
from bench.scenarios.base import LOST, Metric, Scenario
from bench.server import running
from bench.systems.base import System


@dataclass(frozen=True)
class Fanout(Scenario):
    name = "fanout"
    summary = "one room: deliveries per second, and server CPU per delivery"

    members: int = 500
    outstanding: tuple[int, ...] = (1, 4, 32)
    seconds: float = 1.5
    warm_up: float = 0.3

    @classmethod
    def quick(cls) -> Self:
        return cls(members=20, outstanding=(1, 4), seconds=0.3, warm_up=0.1)

    def description(self) -> str:
        return (
            f"One room of {self.members:,} members. One of them sends; W of its messages are outstanding at any time "
            f"(not yet back at the sender, or not yet acked). {self.seconds:g} s for each W. CPU is the server's, "
            "user and system, of all its threads, for each delivery."
        )

    def metrics(self) -> Sequence[Metric]:
        loads = [
            (
                Metric(f"deliveries_per_second_w{w}", f"W={w}: deliveries/s", "more"),
                Metric(f"cpu_us_w{w}", f"W={w}: CPU µs", "less"),
            )
            for w in self.outstanding
        ]
        return [metric for pair in loads for metric in pair] + [LOST]

    def measure(self, system: System) -> Mapping[str, float]:
        values: dict[str, float] = {LOST.key: 0}
        with running(system) as server, joined(server, ["bench"] * self.members) as members:
            for w in self.outstanding:
                with closing(ClosedLoop(server, members, members[:1])) as load:
                    result = load.run(outstanding=w, warm_up=self.warm_up, seconds=self.seconds)
                values[f"deliveries_per_second_w{w}"] = result.deliveries / result.seconds
                values[f"cpu_us_w{w}"] = result.server_cpu / result.deliveries * 1e6
                values[LOST.key] += result.lost
        return values
