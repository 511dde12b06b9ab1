"""Two hundred people log in at once: how does that affect a busy room?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from bench.load import fixed_rate, percentile
from bench.log_ins import logging_in
from bench.members import joined
from bench.scenarios.base import LOST, Metric, Scenario
from bench.server import running
from bench.systems.base import System


@dataclass(frozen=True)
class LogIns(Scenario):
    name = "log-ins"
    summary = "two hundred log-ins at once: the latency in a busy room beside them"
    part_of_all = False  # p99 needs many messages: a round takes half a minute

    members: int = 100
    per_second: float = 50.0
    people: int = 200
    pairs: int = 4
    seconds: float = 5.0
    warm_up: float = 0.5

    @classmethod
    def quick(cls) -> Self:
        return cls(members=10, people=30, pairs=1, seconds=0.5, warm_up=0.1)

    def description(self) -> str:
        return (
            f"One room of {self.members:,} members, who take turns to send {self.per_second:g} messages a second. For "
            f"{self.seconds:g} s they are alone; for the next {self.seconds:g} s, {self.people} people log in at once, "
            "each on a connection of their own and with the right password, and all come back as soon as all are "
            f"answered. This is done {self.pairs} times. The latency of each delivery counts from the moment when its "
            "message was due. Logged in and refused (429) count all people."
        )

    def metrics(self) -> Sequence[Metric]:
        return [
            Metric("alone_p50_ms", "alone: p50 ms", "less"),
            Metric("alone_p99_ms", "alone: p99 ms", "less"),
            Metric("p50_ms", "beside log-ins: p50 ms", "less"),
            Metric("p99_ms", "beside log-ins: p99 ms", "less"),
            Metric("ratio", "p99, beside ÷ alone", "less"),
            Metric("logged_in", "logged in", "more"),
            Metric("refused", "refused", "less"),
            LOST,
        ]

    def measure(self, system: System) -> Mapping[str, float]:
        alone: list[float] = []
        beside: list[float] = []
        statuses: Counter[int] = Counter()
        lost = 0
        with (
            running(system) as server,
            joined(server, ["bench"] * self.members) as members,
            logging_in(server.port, system.log_in(server.port), self.people) as log_in,
        ):
            for _ in range(self.pairs):
                for latencies in (alone, beside):
                    answers = log_in(self.warm_up + self.seconds) if latencies is beside else None
                    result = fixed_rate(
                        server, members, per_second=self.per_second, warm_up=self.warm_up, seconds=self.seconds
                    )
                    latencies.extend(result.seconds)
                    lost += result.lost
                    if answers is not None:
                        statuses.update(answers.result())
        alone.sort()
        beside.sort()
        return {
            "alone_p50_ms": percentile(alone, 50) * 1e3,
            "alone_p99_ms": percentile(alone, 99) * 1e3,
            "p50_ms": percentile(beside, 50) * 1e3,
            "p99_ms": percentile(beside, 99) * 1e3,
            "ratio": percentile(beside, 99) / percentile(alone, 99),
            "logged_in": statuses[201],
            "refused": statuses[429],
            LOST.key: lost,
        }
