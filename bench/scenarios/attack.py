"""Ten hostile sockets: how do they affect a hundred honest members?"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from bench import attackers, procfs
from bench.attackers import Attack, attacking
from bench.errors import BenchError
from bench.load import fixed_rate, percentile
from bench.members import Member, joined
from bench.scenarios.base import Metric, Scenario
from bench.server import Server, running
from bench.systems.base import System

ATTACKS: Mapping[str, tuple[str, Callable[[System, int], Attack | None]]] = {
    "bombs": ("compressed bombs", attackers.bombs),
    "pings": ("pings", attackers.pings),
    "texts": ("`{}` texts", attackers.texts),
    "commands": ("costly commands", attackers.commands),
    "pipelining": ("pipelined HTTP", attackers.pipelining),
}

_PATIENCE = 20.0


@dataclass(frozen=True)
class AttackScenario(Scenario):
    name = "attack"
    summary = "ten hostile sockets: the others' latency, and the server's memory"
    part_of_all = False  # five attacks on each of five systems take ten minutes by themselves

    members: int = 100
    per_second: float = 20.0
    sockets: int = 10
    seconds: float = 10.0
    quiet_seconds: float = 3.0
    start_seconds: float = 1.5
    """Until the attackers' process has begun."""

    @classmethod
    def quick(cls) -> Self:
        return cls(members=10, sockets=2, seconds=0.3, quiet_seconds=0.3, start_seconds=0.3)

    def description(self) -> str:
        return (
            f"One room of {self.members:,} members, who take turns to send {self.per_second:g} messages a second. "
            f"First nobody attacks; then {self.sockets} sockets of another process attack the server for "
            f"{self.seconds:g} s. All of them do the same, as fast as the server accepts it, and reconnect 0.1 s after "
            "the server has closed them. Each attack has a fresh server. p99 is the latency of the members' "
            "deliveries, from the moment when a message was due. MB is the largest growth of the server's resident "
            "memory. Missing is what the members had not received 20 s after the attack, over all attacks. A dash: "
            "this server does not offer what the attack needs."
        )

    def metrics(self) -> Sequence[Metric]:
        pairs = [
            (Metric(f"{key}_p99_ms", f"{title}: p99 ms", "less"), Metric(f"{key}_mb", f"{title}: MB", "less"))
            for key, (title, _) in ATTACKS.items()
        ]
        return [
            Metric("quiet_p99_ms", "quiet: p99 ms", "less"),
            *(metric for pair in pairs for metric in pair),
            Metric("missing", "missing", "less"),
        ]

    def measure(self, system: System) -> Mapping[str, float]:
        values: dict[str, float] = {"missing": 0}
        quiet: list[float] = []
        for key, (_, make) in ATTACKS.items():
            with running(system) as server, joined(server, ["bench"] * self.members) as members:
                p99, lost = self._chat(server, members, warm_up=0.3, seconds=self.quiet_seconds)
                quiet.append(p99)
                values["missing"] += lost
                p99, growth, lost = self._under_attack(server, members, make)
            values[f"{key}_p99_ms"], values[f"{key}_mb"] = p99, growth
            values["missing"] += lost
        values["quiet_p99_ms"] = statistics.median(quiet)
        return values

    def _under_attack(
        self, server: Server, members: Sequence[Member], make: Callable[[System, int], Attack | None]
    ) -> tuple[float, float, int]:
        """p99 in ms, growth in MB, and the number of lost deliveries. NaN if the attack is not possible."""
        before = procfs.resident_kb(server.pid)
        with self._target(server) as target:
            attack = make(target.system, target.port)
            if attack is None:
                return math.nan, math.nan, 0
            with attacking(
                target.port, attack, sockets=self.sockets, seconds=self.start_seconds + self.seconds
            ) as assault:
                try:
                    p99, lost = self._chat(server, members, warm_up=self.start_seconds, seconds=self.seconds)
                except BenchError:
                    # An honest member's connection was closed: this is the worst result.
                    p99, lost = math.inf, 0
            growth = (procfs.peak_kb(server.pid) - before) / 1024
        done = assault.result()
        if not done.possible:
            return math.nan, math.nan, 0
        if not done.sent:
            raise BenchError(f"the attackers of {server.system.name} could send nothing")
        return p99, max(0.0, growth), lost

    @contextmanager
    def _target(self, server: Server) -> Iterator[Server]:
        decoy = server.system.decoy
        if decoy is None:
            yield server
        else:
            with running(decoy()) as other:
                yield other

    def _chat(self, server: Server, members: Sequence[Member], *, warm_up: float, seconds: float) -> tuple[float, int]:
        """p99 in ms, and how many deliveries did not arrive."""
        result = fixed_rate(
            server, members, per_second=self.per_second, warm_up=warm_up, seconds=seconds, patience=_PATIENCE
        )
        return percentile(result.seconds, 99) * 1e3, result.lost
